// Moves and deletes files of the code folder with regard to the functions and files that use them.

import type { Actor } from "../actor.ts";
import { conflict, type ErrorDetails, invalid } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import type { ExpectedVersions } from "../versions.ts";
import { checkFilePath, HANDLER_EXTENSIONS } from "../core/functions/file_paths.ts";
import { type FileInfo, type Files } from "./files/files.ts";
import type { Registry } from "../core/functions/registry.ts";

/** The id and name of a function. */
export interface NamedFunction {
  readonly id: FunctionId;
  readonly name: string;
}

export interface MovedFile {
  readonly info: FileInfo;
  /** The file's version, which is unchanged. */
  readonly sha256: string;
  /** Functions with the file as their handler, which now have the new path. */
  readonly functions: readonly NamedFunction[];
  /** Files that depend on the old path. */
  readonly importers: readonly string[];
}

export interface FileUses {
  /**
   * Moves a file and changes the handler of the functions that use it: all of this is done, or nothing.
   * Imports in other files are not changed.
   * @throws AppError InvalidInput (400), NotFound (404), Conflict (409) if the new path is taken,
   *   PreconditionFailed (412)
   */
  move(actor: Actor, from: string, to: string, expected?: ExpectedVersions): Promise<MovedFile>;
  /**
   * Deletes a file that no function and no other file is known to use.
   * @throws AppError InvalidInput (400), NotFound (404), Conflict (409) naming what needs it, PreconditionFailed (412)
   */
  deleteUnused(actor: Actor, path: string, expected?: ExpectedVersions): Promise<void>;
}

export interface FileUsesParts {
  readonly files: Files;
  readonly registry: Pick<Registry, "handledBy" | "moveHandler">;
  /** Returns the known modules that depend on the file at `path`. */
  readonly importers: (path: string) => readonly string[];
}

export function createFileUses({ files, registry, importers }: FileUsesParts): FileUses {
  /** Throws if something uses the file. */
  const refuseUsed = (path: string): void => {
    const dependent = importers(path);
    const own = registry.handledBy(path);
    const through = dependent.flatMap((importer) => registry.handledBy(importer));
    const functions = [...new Set([...own, ...through].map(({ name }) => name))];
    if (functions.length === 0 && dependent.length === 0) return;
    const details: ErrorDetails = {
      ...(functions.length > 0 && { functions: functions.join(", ") }),
      ...(dependent.length > 0 && { importers: dependent.join(", ") }),
    };
    const clauses = [
      ...(own.length > 0 ? [`it is the handler of ${own.map(({ name }) => name).join(", ")}`] : []),
      ...(dependent.length > 0 ? [`${dependent.join(", ")} ${dependent.length === 1 ? "imports" : "import"} it`] : []),
    ];
    throw conflict(`${path} is still used: ${clauses.join("; ")}.`, details);
  };

  return {
    async move(actor, from, to, expected) {
      checkFilePath(to, "to");
      if (registry.handledBy(from).length > 0 && !HANDLER_EXTENSIONS.some((extension) => to.endsWith(extension))) {
        throw invalid("to", `must end with one of ${HANDLER_EXTENSIONS.join(", ")}: the file is a handler`);
      }
      const dependent = importers(from);
      const { info, sha256, followed } = await files.move(
        actor,
        { from, to, expected },
        (recordMove) => registry.moveHandler(actor, from, to, recordMove),
      );
      return { info, sha256, functions: followed.map(({ id, name }) => ({ id, name })), importers: dependent };
    },

    deleteUnused: (actor, path, expected) => files.delete(actor, path, expected, () => refuseUsed(path)),
  };
}
