import {
  connects,
  dataFolder,
  disposeAll,
  freePort,
  runProgram,
  type Service,
  startDaemon,
  writeConfig,
} from "./service.ts";

const PACKAGE = "mariadb-server";
const USER = "mysql";
const PASSWORD = "a-password-of-tests";

/** MariaDB with a database `app` and a user of the same name. */
export async function startMariadb(): Promise<Service> {
  const folder = await dataFolder("mariadb", USER);
  const port = await freePort();
  const data = `${folder}/data`;
  await runProgram({
    program: "/usr/bin/mariadb-install-db",
    debianPackage: PACKAGE,
    args: ["--no-defaults", `--datadir=${data}`, "--skip-test-db", "--auth-root-authentication-method=normal"],
    user: USER,
  });
  const init = await writeConfig(
    folder,
    "init.sql",
    `CREATE DATABASE app;\nCREATE USER app@'%' IDENTIFIED BY '${PASSWORD}';\nGRANT ALL ON app.* TO app@'%';\n`,
  );
  const daemon = await startDaemon({
    program: "/usr/sbin/mariadbd",
    debianPackage: PACKAGE,
    args: [
      "--no-defaults",
      `--datadir=${data}`,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      `--socket=${folder}/socket`,
      `--pid-file=${folder}/pid`,
      `--init-file=${init}`,
      "--innodb-flush-method=nosync",
    ],
    user: USER,
    probe: () => connects(port),
  });
  const address = `127.0.0.1:${port}`;
  return {
    hosts: [address],
    secrets: { MYSQL_URL: `mysql://app:${PASSWORD}@${address}/app` },
    [Symbol.asyncDispose]: () => disposeAll([daemon], folder),
  };
}
