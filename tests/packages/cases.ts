// Every package that is tested, in the order of the table in `docs/packages.md`.

import { AI } from "./cases/ai.ts";
import { AUTH } from "./cases/auth.ts";
import { CLOUD } from "./cases/cloud.ts";
import { DATABASES } from "./cases/databases.ts";
import { DOCUMENTS } from "./cases/documents.ts";
import { FORMATS } from "./cases/formats.ts";
import { FRAMEWORKS } from "./cases/frameworks.ts";
import { HTTP } from "./cases/http.ts";
import { MAIL } from "./cases/mail.ts";
import { MESSAGING } from "./cases/messaging.ts";
import { PARSING } from "./cases/parsing.ts";
import { PAYMENTS } from "./cases/payments.ts";
import { RENDERING } from "./cases/rendering.ts";
import { UTILITIES } from "./cases/utilities.ts";
import { VALIDATION } from "./cases/validation.ts";
import type { Category, PackageCase } from "./package_case.ts";

export const CATEGORIES: readonly Category[] = [
  { title: "Databases", cases: DATABASES },
  { title: "Messaging", cases: MESSAGING },
  { title: "Mail", cases: MAIL },
  { title: "Payments and business services", cases: PAYMENTS },
  { title: "AI", cases: AI },
  { title: "Clouds", cases: CLOUD },
  { title: "Web frameworks and servers", cases: FRAMEWORKS },
  { title: "Rendering", cases: RENDERING },
  { title: "Documents, images and tables", cases: DOCUMENTS },
  { title: "Parsing", cases: PARSING },
  { title: "Validation", cases: VALIDATION },
  { title: "Authentication and cryptography", cases: AUTH },
  { title: "HTTP and network", cases: HTTP },
  { title: "Utilities", cases: UTILITIES },
  { title: "Compression, formats and compilers", cases: FORMATS },
];

export const CASES: readonly PackageCase[] = CATEGORIES.flatMap(({ cases }) => cases);
