import semver from "npm:semver@7.8.6";

export default (c) => c.json([semver.satisfies("1.4.2", "^1.2.0"), semver.inc("1.4.2", "minor")]);
