// Which passwords are refused because they are tried first.

import assert from "node:assert/strict";
import { isCommonPassword } from "../../src/control/inputs/common_passwords.ts";

Deno.test("well-known words, rows of keys, sequences and repetitions are common, alone or with numbers and signs", () => {
  const common = [
    "password1234",
    "P@ssw0rd1234",
    "password password",
    "Welcome2026!!",
    "Summer2026!!!",
    "admin admin 12",
    "CrudeFunctions1",
    "qwertyuiop12",
    "1q2w3e4r5t6y",
    "123456789012",
    "210987654321",
    "abcdefghijkl",
    "111111111111",
    "hahahahahaha",
    "            ",
    "ｐａｓｓｗｏｒｄ１２３４",
  ];
  assert.deepEqual(common.filter((password) => !isCommonPassword(password)), []);
});

Deno.test("a few words, random characters and other scripts are not common", () => {
  const fine = [
    "four little words",
    "a long enough password",
    "trombone gravy",
    "839201748365",
    "x7Qw-9kLm-Pz2",
    "密码是十二个汉字以上的句子",
    "password of my grandmother",
  ];
  assert.deepEqual(fine.filter(isCommonPassword), []);
});
