import { Octokit } from "npm:@octokit/rest@22.0.1";

export default async function (c, ctx) {
  const octokit = new Octokit({
    auth: await ctx.getSecret("API_TOKEN"),
    baseUrl: `${await ctx.getSecret("API_URL")}/github`,
  });
  const { data } = await octokit.repos.get({ owner: "ada", repo: "engine" });
  const missing = await octokit.issues.get({ owner: "ada", repo: "engine", issue_number: 9 }).catch(({ status }) =>
    status
  );
  return c.json({ stars: data.stargazers_count, missing });
}
