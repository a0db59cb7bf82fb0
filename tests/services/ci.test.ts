// The recipes of docs/ci.md: what they run is executed in a project, against a real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCrudeHome } from "../cli/crude.ts";
import { run } from "../http/handlers.ts";
import { startApp } from "../http/app.ts";
import type { Server } from "../http/server.ts";
import { pipeline, type Recipe, recipes, type Script, workflow } from "./ci_recipes.ts";

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs scripts one after the other, in `project`, until one fails. */
async function execute(scripts: readonly Script[], project: string): Promise<Outcome> {
  let output = "";
  for (const { command, env } of scripts) {
    const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
      args: command.slice(1),
      cwd: project,
      // As a runner without a terminal, with nothing of the machine's but programs and their caches.
      clearEnv: true,
      env: { ...machine(), ...env },
      stdin: "null",
    }).output();
    output += new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (code !== 0) return { code, output };
  }
  return { code: 0, output };
}

function machine(): Record<string, string> {
  const names = /^(PATH|HOME|DENO_DIR|NO_COLOR|NODE_EXTRA_CA_CERTS|DENO_CERT|SSL_CERT_FILE|HTTPS?_PROXY)$/i;
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => names.test(name)));
}

/** A repository with the project that `crude init` makes. */
async function makeProject(folder: string): Promise<string> {
  await using home = makeCrudeHome();
  const made = await home.crude(["init", join(folder, "shop")]);
  assert.equal(made.code, 0, made.stderr);
  const project = join(folder, "shop");
  const git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
  const commands = [["git", "init", "--quiet"], ["git", "add", "."], [
    ...git,
    "commit",
    "--quiet",
    "-m",
    '--first "$(id)"',
  ]];
  for (const command of commands) {
    const { code, output } = await execute([{ command, env: {} }], project);
    assert.equal(code, 0, output);
  }
  return project;
}

function recipesFor(server: Server, folder: string, key = server.key): Recipe[] {
  return recipes({ vars: { CRUDE_URL: server.url }, secrets: { CRUDE_KEY: key } }, folder);
}

const functionsOf = async (server: Server): Promise<unknown[]> =>
  (await server.api("GET", "/api/functions")).body.functions;

for (const name of ["GitHub Actions", "GitLab", "a shell"]) {
  Deno.test(`the recipe for ${name} checks, shows what would change, and deploys`, async () => {
    await using server = await startApp();
    const folder = await Deno.makeTempDir({ prefix: "crude-functions-ci-" });
    try {
      const project = await makeProject(folder);
      const { jobs } = recipesFor(server, folder).find((recipe) => recipe.name === name)!;
      for (const [job, scripts] of Object.entries(jobs)) {
        const { code, output } = await execute(scripts, project);
        assert.equal(code, 0, `${job}: ${output}`);
        assert.ok(!output.includes(server.key));
        assert.equal((await functionsOf(server)).length, job === "deploy" ? 1 : 0, job);
      }
      assert.equal((await run(server, "/hello/ci")).body.message, "Hello, ci!");
      const [deployment] = (await server.api("GET", "/api/deployments")).body.deployments;
      assert.match(deployment.message, name === "a shell" ? /^[0-9a-f]{7,} --first "\$\(id\)"$/ : /^[0-9a-f]{40}$/);
      const again = await execute(jobs.deploy!, project);
      assert.match(again.output, /Nothing had to be changed/);

      await Deno.writeTextFile(
        join(project, "hello.ts"),
        "const wrong: number = 'text';\nexport default () => wrong;\n",
      );
      const { code } = await execute(Object.values(jobs)[0]!, project);
      assert.notEqual(code, 0, "a type error stops the pipeline");
      assert.equal((await run(server, "/hello/ci")).status, 200);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("a key that is not accepted fails the deployment with exit code 4 and is not printed", async () => {
  await using server = await startApp();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-ci-" });
  try {
    const project = await makeProject(folder);
    const key = "not-a-key-of-this-server-0123456789";
    const { jobs } = recipesFor(server, folder, key)[0]!;
    const { code, output } = await execute(jobs.deploy!, project);
    assert.equal(code, 4, output);
    assert.ok(!output.includes(key));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the recipes deploy from the main branch only, and pull requests change nothing", () => {
  assert.deepEqual(workflow.on.push, { branches: ["main"] });
  assert.equal(workflow.jobs.deploy.if, "github.event_name == 'push'");
  assert.match(workflow.jobs["dry-run"].if, /^github\.event_name == 'pull_request' && .*head\.repo\.full_name == /);
  assert.deepEqual(workflow.permissions, { contents: "read" });
  for (const job of ["dry-run", "deploy"]) assert.equal(workflow.jobs[job].needs, "check");
  // Text of others, such as a title, is not put into scripts.
  for (const { steps } of Object.values<{ steps: { run?: string }[] }>(workflow.jobs)) {
    for (const { run } of steps) assert.doesNotMatch(run ?? "", /\$\{\{/);
  }
  assert.deepEqual(pipeline.deploy.rules, [{ if: "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" }]);
  assert.deepEqual(pipeline["dry-run"].rules, [{ if: '$CI_PIPELINE_SOURCE == "merge_request_event"' }]);
  assert.ok(pipeline.stages.indexOf(pipeline.check.stage) < pipeline.stages.indexOf(pipeline.deploy.stage));
});
