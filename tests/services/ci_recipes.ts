// Reads the recipes of docs/ci.md: what each job of a CI would run, and with which variables.

import { parse } from "yaml";
import { blocksOf, readPage } from "../http/docs_pages.ts";

/** A script as a CI runs it. */
export interface Script {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Recipe {
  readonly name: string;
  /** The jobs `check`, `dry-run` and `deploy`: their scripts, in order. */
  readonly jobs: Readonly<Record<string, readonly Script[]>>;
}

/** What a CI knows: its own variables, and what its users have entered. */
export interface Known {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

const blocks = blocksOf(readPage("docs/ci.md"));
const documents = blocks.filter(({ language }) => language === "yaml").map(({ code }) => parse(code));
/** The workflow of GitHub Actions. */
export const workflow = documents.find((document) => "jobs" in document);
/** The pipeline of GitLab. */
export const pipeline = documents.find((document) => "stages" in document);
/** The script for other systems. */
export const script = blocks.find(({ language, code }) => language === "sh" && code.startsWith("#!/bin/sh"))!.code;

/** Returns the recipes, with the variables that each system would set. */
export function recipes(known: Known, temporary: string): Recipe[] {
  const own = { ...known.vars, ...known.secrets };
  // GitHub runs a step by `bash -e`, https://docs.github.com/en/actions/reference/workflow-syntax-for-github-actions
  const github = { RUNNER_TEMP: temporary, GITHUB_SHA: "0123456789abcdef0123456789abcdef01234567" };
  const steps = (job: { steps: Record<string, unknown>[] }): Script[] =>
    job.steps.filter(({ run }) => run !== undefined).map(({ run, env = {} }) => ({
      command: ["bash", "-e", "-c", run as string],
      env: { ...github, ...evaluated(env as Record<string, string>, known) },
    }));
  // GitLab joins the lines of a job and stops at the first that fails.
  const lines = (job: { script: string[] }): Script[] => [{
    command: ["bash", "-eo", "pipefail", "-c", job.script.join("\n").replaceAll("/tmp/", `${temporary}/`)],
    env: { ...own, CI_COMMIT_SHA: github.GITHUB_SHA },
  }];
  const jobs = ["check", "dry-run", "deploy"];
  const shell = (...args: string[]): Script[] => [{ command: ["sh", "-c", script, "deploy.sh", ...args], env: own }];
  return [
    { name: "GitHub Actions", jobs: Object.fromEntries(jobs.map((job) => [job, steps(workflow.jobs[job])])) },
    { name: "GitLab", jobs: Object.fromEntries(jobs.map((job) => [job, lines(pipeline[job])])) },
    { name: "a shell", jobs: { "dry-run": shell("--dry-run"), deploy: shell() } },
  ];
}

/** Replaces `${{ vars.X }}` and `${{ secrets.X }}`. @throws Error for other expressions */
function evaluated(env: Record<string, string>, known: Known): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, text]) => [
      name,
      text.replace(/\$\{\{(.*?)\}\}/g, (whole, expression: string) => {
        const [, kind, key] = /^ (vars|secrets)\.(\w+) $/.exec(expression) ?? [];
        const value = key === undefined ? undefined : known[kind as keyof Known][key];
        if (value === undefined) throw new Error(`${whole} is not known`);
        return value;
      }),
    ]),
  );
}
