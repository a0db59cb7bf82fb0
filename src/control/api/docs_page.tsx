// Renders the OpenAPI document as a page, without scripts.

import type { Child } from "hono/jsx";
import { assetAddress } from "../web/assets/addresses.ts";
import { Icon } from "../web/icons/icon.tsx";
import { curlOf } from "./docs_example.ts";
import type { ApiDocument, Content, JsonSchema, Operation, SecurityScheme } from "./api_document.ts";

const STYLES = ["tokens.css", "app.css", "frame.css", "api.css"];

/** Returns the whole page as HTML. */
export function docsPage(document: ApiDocument): string {
  return `<!doctype html>${<Page document={document} />}`;
}

function Page({ document: { info, paths, components } }: { document: ApiDocument }) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation }))
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "Other");
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{info.title} API</title>
        <link rel="icon" href={assetAddress("icon.svg")} />
        {STYLES.map((name) => <link rel="stylesheet" href={assetAddress(name)} />)}
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <div class="api-frame">
          <header>
            <a class="brand" href="/web">
              <img src={assetAddress("icon.svg")} alt="" width="20" height="20" /> {info.title}
            </a>
            <p class="quiet">API, version {info.version}</p>
            <ul class="ways">
              <li>
                <a href="/web">
                  <Icon name="arrow-left" /> Back to the admin pages
                </a>
              </li>
              <li>
                <a href="/web/docs/api-reference">
                  <Icon name="book-open" /> API reference with examples
                </a>
              </li>
            </ul>
            <nav aria-label="Operations">
              {[...byTag].map(([tag, entries]) => (
                <details>
                  <summary>{tag}</summary>
                  <ul>
                    {entries.map(({ method, operation }) => (
                      <li>
                        <a href={`#${operation.operationId}`}>
                          <span>{operation.summary}</span> <small class="quiet">{method}</small>
                        </a>
                      </li>
                    ))}
                  </ul>
                </details>
              ))}
            </nav>
          </header>
          <main id="main" tabindex={-1}>
            <h1>{info.title} API</h1>
            {info.description?.split("\n\n").map((paragraph) => (
              <p>
                <Prose text={paragraph} />
              </p>
            ))}
            <p>
              For programs: <a href="/api/openapi.json">openapi.json</a>.
            </p>
            <Credentials schemes={components.securitySchemes} />
            <p>
              The examples are for a shell in which <code>CRUDE_URL</code> is the address of this server, and{" "}
              <code>CRUDE_KEY</code> an API key.
            </p>
            {[...byTag].map(([tag, entries]) => (
              <section aria-labelledby={`tag-${slug(tag)}`}>
                <h2 id={`tag-${slug(tag)}`}>{tag}</h2>
                {entries.map((entry) => <OperationSection {...entry} schemas={components.schemas} />)}
              </section>
            ))}
            <section aria-labelledby="schemas">
              <h2 id="schemas">Objects</h2>
              {Object.entries(components.schemas).map(([name, schema]) => (
                <div class="operation" id={`schema-${name}`}>
                  <h3>{name}</h3>
                  {schema.description && (
                    <p>
                      <Prose text={schema.description} />
                    </p>
                  )}
                  <Shape schema={schema} />
                </div>
              ))}
            </section>
          </main>
        </div>
      </body>
    </html>
  );
}

function Credentials({ schemes }: { schemes: Readonly<Record<string, SecurityScheme>> }) {
  return (
    <section aria-labelledby="credentials">
      <h2 id="credentials">Who may call</h2>
      <p>Each request needs one of these, unless its description says that none is needed:</p>
      <ul>
        {Object.values(schemes).map(({ type, scheme, in: place, name, description }) => (
          <li>
            {type === "http"
              ? (
                <>
                  an API key by <code>Authorization: {scheme === "basic" ? "Basic" : "Bearer"}</code>
                </>
              )
              : (
                <>
                  the {place} <code>{name}</code>
                </>
              )}
            {description && (
              <>
                . <Prose text={description} />
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function OperationSection({ path, method, operation, schemas }: {
  path: string;
  method: string;
  operation: Operation;
  schemas: Readonly<Record<string, JsonSchema>>;
}) {
  const { operationId: id, summary, description, parameters = [], requestBody, responses, security } = operation;
  return (
    <section class="operation" id={id} aria-labelledby={`${id}-name`}>
      <h3 id={`${id}-name`}>
        <code>{method} {path}</code>
      </h3>
      <p>
        <strong>{summary}.</strong> <span class="quiet">{id}</span>
        {security?.length === 0 && " No credential is needed."}
      </p>
      {description && (
        <p>
          <Prose text={description} />
        </p>
      )}
      <pre tabindex={0} aria-label={`Example of ${id}`}><code>
        {curlOf({
          method,
          path,
          parameters,
          body: requestBody?.content["application/json"]?.schema,
          needsCredential: security?.length !== 0,
        }, schemas)}
      </code></pre>
      {parameters.length > 0 && (
        <>
          <h4>Parameters</h4>
          <Fields
            rows={parameters.map(({ name, in: place, required = false, description, schema = {} }) => (
              { name, note: place, required, schema: description === undefined ? schema : { ...schema, description } }
            ))}
          />
        </>
      )}
      {requestBody && (
        <>
          <h4>Body</h4>
          <Bodies content={requestBody.content} />
        </>
      )}
      <h4>Answers</h4>
      <dl class="answers">
        {Object.entries(responses).map(([status, { description, content, headers }]) => (
          <div>
            <dt>{status}</dt>
            <dd>
              <Prose text={description} />{" "}
              {headers && <span class="quiet">With {Object.keys(headers).join(", ")}.</span>}
              {content && status.startsWith("2") && <Bodies content={content} />}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Bodies({ content }: { content: Content }) {
  return (
    <>
      {Object.entries(content).map(([type, { schema }]) => (
        <div>
          <p>
            <code>{type}</code>
            {schema && (schema.$ref || !schema.properties) && (
              <>
                : <Type schema={schema} />
                {schema.description && (
                  <>
                    . <Prose text={schema.description} />
                  </>
                )}
              </>
            )}
          </p>
          {schema && !schema.$ref && <Shape schema={schema} />}
        </div>
      ))}
    </>
  );
}

/** The fields of an object; empty for any other type. */
function Shape({ schema }: { schema: JsonSchema }) {
  const parts = [schema, ...(schema.allOf ?? [])];
  const fields = parts.flatMap((part) =>
    Object.entries(part.properties ?? {}).map(([name, field]) => ({
      name,
      required: part.required?.includes(name) ?? false,
      schema: field,
    }))
  );
  return (
    <>
      {schema.allOf?.filter(({ $ref }) => $ref).map((part) => (
        <p>
          All fields of <Type schema={part} />.
        </p>
      ))}
      {fields.length > 0 && <Fields rows={fields} />}
    </>
  );
}

interface Field {
  readonly name: string;
  /** Location of a parameter, such as "query". */
  readonly note?: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

function Fields({ rows }: { rows: readonly Field[] }) {
  const haveMeanings = rows.some(({ schema }) => schema.description !== undefined);
  return (
    <table class="stack fields">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Type</th>
          {haveMeanings && <th scope="col">Meaning</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, note, required, schema }) => (
          <tr>
            <th scope="row">
              <code>{name}</code> {note && <small class="quiet">{note}</small>}{" "}
              {required && <small class="quiet">required</small>}
            </th>
            <td data-label="Type">
              <Type schema={schema} />
              <Limits schema={schema} />
              {schema.properties && <Shape schema={schema} />}
              {schema.items?.properties && <Shape schema={schema.items} />}
            </td>
            {haveMeanings && <td data-label="Meaning">{schema.description && <Prose text={schema.description} />}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Type({ schema }: { schema: JsonSchema }): Child {
  const { $ref, type, format, enum: values, items, anyOf, oneOf, allOf } = schema;
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1)!;
    return <a href={`#schema-${name}`}>{name}</a>;
  }
  const choices = anyOf ?? oneOf;
  if (choices) {
    return (
      <>
        {choices.map((one, index) => (
          <>
            {index > 0 && " or "}
            <Type schema={one} />
          </>
        ))}
      </>
    );
  }
  if (values) {
    return (
      <>
        {values.map((value, index) => (
          <>
            {index > 0 && ", "}
            <code>{JSON.stringify(value)}</code>
          </>
        ))}
      </>
    );
  }
  if (schema.const !== undefined) return <code>{JSON.stringify(schema.const)}</code>;
  if (items) {
    return (
      <>
        list of <Type schema={items} />
      </>
    );
  }
  if (allOf && type === undefined) {
    return (
      <>
        {allOf.map((one, index) => (
          <>
            {index > 0 && " and "}
            <Type schema={one} />
          </>
        ))}
      </>
    );
  }
  const names = type === undefined ? "any" : typeof type === "string" ? type : type.join(" or ");
  return <>{format ? `${names} (${format})` : names}</>;
}

function Limits({ schema }: { schema: JsonSchema }) {
  const { minimum, maximum, minLength, maxLength, maxItems, pattern } = schema;
  const limits = [
    minimum !== undefined && `at least ${minimum}`,
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && `at most ${maximum}`,
    minLength !== undefined && `at least ${minLength} characters`,
    maxLength !== undefined && `at most ${maxLength} characters`,
    maxItems !== undefined && `at most ${maxItems} entries`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter((limit) => limit !== false);
  return (
    <>
      {limits.length > 0 && <small class="quiet">, {limits.join(", ")}</small>}
      {pattern && (
        <small class="quiet">
          , as <code>{pattern}</code>
        </small>
      )}
    </>
  );
}

/** A text whose parts in backquotes are code. */
function Prose({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => index % 2 === 1 ? <code>{part}</code> : part)}</>;
}

function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
