// Implements what all forms do with a POST: read the fields, act, and then either show the form again with the problems
// or redirect with a notice.

import type { Context } from "hono";
import type { AdminActor, Origin } from "../../../actor.ts";
import type { ExpectedVersions } from "../../../versions.ts";
import type { Web, WebEnv } from "./deps.ts";
import { attempt, expectedIn, type FormStatus, type Problems, readForm, redirect, type Typed } from "./forms.ts";

/** A form as its page shows it: empty, filled from what is stored, or as it was posted, with problems. */
export interface FormState<Subject, Values> {
  readonly subject: Subject;
  readonly values: Values;
  readonly problems?: Problems | undefined;
  /** 200 without problems; 412 if another user has changed the subject. */
  readonly status: 200 | FormStatus;
}

export interface Submission<Subject, Values, Input> {
  readonly c: Context<WebEnv>;
  readonly actor: AdminActor & Origin;
  readonly subject: Subject;
  readonly values: Values;
  /** What `schema` made of the values. */
  readonly input: Input;
  /** The version that the form was filled from. */
  readonly expected: ExpectedVersions;
}

type Page = Response | Promise<Response>;

export interface FormRoute<Subject, Values, Input, Result> {
  readonly path: string;
  /**
   * Returns what the path names; without it, the subject is undefined. Called again before the form is shown with
   * problems, as the subject may have changed. @throws AppError NotFound (404)
   */
  readonly subject?: (c: Context<WebEnv>) => Subject;
  /** Returns the values that the page shows on GET; without it, the route has no GET. */
  readonly initial?: (subject: Subject, c: Context<WebEnv>) => Values;
  /** Reads the values from the posted fields, as texts that the page can show again. */
  readonly read: (typed: Typed, subject: Subject) => Values;
  /** Parses the values; without it, `act` gets them as they are. @throws ZodError */
  readonly schema?: (values: Values, subject: Subject) => Input;
  /** Makes the change. Errors that the user can fix become problems of the form. */
  readonly act: (submission: Submission<Subject, Values, Input>) => Result | Promise<Result>;
  readonly page: (c: Context<WebEnv>, form: FormState<Subject, Values>) => Page;
  /** Returns the page to redirect to, and its notice. */
  readonly then: (
    result: Result,
    submission: Submission<Subject, Values, Input>,
  ) => Destination | Promise<Destination>;
}

export interface Destination {
  readonly to: string;
  readonly notice?: string;
}

/** Adds the routes of a form. */
export function formRoute<Values, Result, Subject = undefined, Input = Values>(
  web: Web,
  route: FormRoute<Subject, Values, Input, Result>,
): void {
  const { path, initial, read, act, page, then } = route;
  const subjectOf = (c: Context<WebEnv>) => route.subject?.(c) as Subject;
  const parse = route.schema ?? ((values: Values) => values as unknown as Input);

  if (initial) {
    web.get(path, (c) => {
      const subject = subjectOf(c);
      return page(c, { subject, values: initial(subject, c), status: 200 });
    });
  }

  web.post(path, async (c) => {
    const subject = subjectOf(c);
    const typed = await readForm(c);
    const values = read(typed, subject);
    const outcome = await attempt(async () => {
      const input = parse(values, subject);
      const submission = { c, actor: c.get("actor"), subject, values, input, expected: expectedIn(typed) };
      return { submission, result: await act(submission) };
    });
    if ("problems" in outcome) return page(c, { ...outcome, subject: subjectOf(c), values });
    const { to, notice } = await then(outcome.done.result, outcome.done.submission);
    return redirect(c, to, notice);
  });
}
