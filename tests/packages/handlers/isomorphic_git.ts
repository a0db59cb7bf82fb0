import git from "npm:isomorphic-git@1.44.11";
import http from "npm:isomorphic-git@1.44.11/http/web";

export default async function (c, ctx) {
  const { refs } = await git.getRemoteInfo({ http, url: `${await ctx.getSecret("API_URL")}/git/repo.git` });
  return c.json(refs);
}
