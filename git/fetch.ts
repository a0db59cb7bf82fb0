// Fetches one commit of a git repository and writes the files of one of its folders. Runs in a confined process of the
// server, which gives it a FetchJob and reads a FetchAnswer. Starts no program, and runs no hooks and no filters.

import fs from "node:fs";
import git, { type HttpClient } from "isomorphic-git";
import { isClosedName } from "../src/code/files/importable.ts";
import type { FetchAnswer, FetchedCommit, FetchJob } from "../src/code/git/job.ts";
import { createHttpClient, Problem } from "./http.ts";

const LFS_POINTER = "version https://git-lfs.github.com/spec/";
const LINK = "120000";

async function run(job: FetchJob): Promise<FetchAnswer> {
  const http = createHttpClient(job);
  const commit = job.kind === "commit" ? job.name : await newest(http, job);
  if (commit === job.known) return { unchanged: commit };
  await fetchCommit(http, job, commit);
  return await new Copy(job).write(commit);
}

/** Asks for the commit that a branch or tag names. */
async function newest(http: HttpClient, { url, kind, name }: FetchJob): Promise<string> {
  const ref = `refs/${kind === "branch" ? "heads" : "tags"}/${name}`;
  const refs = await git.listServerRefs({ http, url, prefix: ref, peelTags: true });
  const found = refs.find((one) => one.ref === ref);
  if (!found) throw new Problem(`The repository has no ${kind} "${name}".`);
  return found.peeled ?? found.oid;
}

async function fetchCommit(http: HttpClient, { url, gitdir }: FetchJob, commit: string): Promise<void> {
  await git.init({ fs, gitdir, dir: gitdir, bare: true });
  await git.addRemote({ fs, gitdir, remote: "origin", url });
  const wanted = { ref: commit, remoteRef: commit, depth: 1, singleBranch: true, tags: false };
  await git.fetch({ fs, http, gitdir, url, ...wanted }).catch((error) => {
    // isomorphic-git asks for it in any case.
    if (error.code !== "NotFoundError" || error.data?.what !== "HEAD") throw error;
    throw new Problem("The default branch of the repository does not exist. Choose another one on the git server.");
  });
}

/** Copies the files of a commit out of the repository. */
class Copy {
  readonly #job: FetchJob;
  readonly #paths: string[] = [];
  /** Objects that were read; without it, the pack is parsed for each file. */
  readonly #cache = {};
  #entries = 0;
  #bytes = 0;

  constructor(job: FetchJob) {
    this.#job = job;
  }

  async write(oid: string): Promise<FetchedCommit> {
    const { commit } = await this.#commit(oid);
    let tree = commit.tree;
    for (const name of this.#job.folder.split("/").filter((name) => name !== "")) {
      const entry = (await this.#tree(tree)).find(({ path }) => path === name);
      if (entry?.type !== "tree") throw new Problem(`The commit has no folder "${this.#job.folder}".`);
      tree = entry.oid;
    }
    await this.#copy(tree, "");
    const { author: { name, email }, message } = commit;
    return { commit: oid, author: { name, email }, message, paths: this.#paths };
  }

  async #commit(oid: string) {
    const { gitdir } = this.#job;
    return await git.readCommit({ fs, gitdir, cache: this.#cache, oid }).catch((error) => {
      if (error.code !== "NotFoundError") throw error;
      throw new Problem(
        `The git server gives out no commit ${oid}. Some do so only for newest ones of branches and tags.`,
      );
    });
  }

  async #tree(oid: string) {
    const { gitdir } = this.#job;
    return (await git.readTree({ fs, gitdir, cache: this.#cache, oid })).tree;
  }

  async #copy(tree: string, prefix: string): Promise<void> {
    for (const { path: name, mode, type, oid } of await this.#tree(tree)) {
      const path = prefix + name;
      if (++this.#entries > this.#job.limits.entriesMax) {
        throw new Problem(`The commit has more than ${this.#job.limits.entriesMax} files and folders.`);
      }
      // As `crude deploy` does.
      if (isClosedName(name)) continue;
      if (type === "tree") await this.#copy(oid, `${path}/`);
      else if (type === "commit") throw new Problem(`${path} is a submodule. Submodules are not supported.`);
      else if (mode === LINK) throw new Problem(`${path} is a symbolic link. Links are not supported.`);
      else await this.#copyFile(oid, path);
    }
  }

  async #copyFile(oid: string, path: string): Promise<void> {
    const { gitdir, output, limits } = this.#job;
    const { blob } = await git.readBlob({ fs, gitdir, cache: this.#cache, oid });
    if (blob.length > limits.fileMaxBytes) {
      throw new Problem(`${path} is larger than ${limits.fileMaxBytes / 2 ** 20} MiB.`);
    }
    this.#bytes += blob.length;
    if (this.#bytes > limits.totalMaxBytes) {
      throw new Problem(`The files of the commit are larger than ${limits.totalMaxBytes / 2 ** 20} MiB together.`);
    }
    if (new TextDecoder().decode(blob.subarray(0, LFS_POINTER.length)) === LFS_POINTER) {
      throw new Problem(`${path} is stored in Git LFS, which is not supported.`);
    }
    await Deno.writeFile(`${output}/${this.#paths.length}`, blob, { createNew: true });
    this.#paths.push(path);
  }
}

const job: FetchJob = JSON.parse(await new Response(Deno.stdin.readable).text());
let answer: FetchAnswer;
try {
  answer = await run(job);
} catch (error) {
  if (error instanceof Problem) answer = { problem: error.message };
  else if (error instanceof Error && "code" in error) answer = { problem: `git: ${error.message}` };
  else throw error;
}
await new Blob([JSON.stringify(answer)]).stream().pipeTo(Deno.stdout.writable);
