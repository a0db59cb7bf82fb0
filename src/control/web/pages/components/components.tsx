// Implements /web/_ui: every component in every state, for the development of the pages. Only with DEV_PAGES.

import type { Child } from "hono/jsx";
import type { Web } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import {
  Badge,
  Button,
  ButtonLink,
  Card,
  CopyLine,
  Empty,
  Fact,
  Facts,
  Icon,
  Menu,
  MenuLink,
  MenuPost,
  Notice,
  Pager,
  Popover,
  Segments,
  Skeleton,
  Stat,
  Stats,
  StatusDot,
  Tabs,
  Tooltip,
} from "../../ui/components.tsx";
import { Sparkline } from "../../ui/sparkline.tsx";
import { BarChart } from "../../ui/bar_chart.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { TextField } from "../../ui/fields.tsx";
import { ICON_NAMES } from "../../icons/names.ts";
import { Controls } from "./controls.tsx";

const PATH = "/web/_ui";

/** Adds the page. */
export function addComponents(web: Web): void {
  web.get(PATH, (c) =>
    page(c, {
      title: "Components",
      styles: ["bars.css", "components.css"],
      children: (
        <>
          <div class="components">
            <Shown name="Colours">
              <Swatches />
            </Shown>
            <Shown name="Text">
              <Text />
            </Shown>
            <Shown name="Buttons">
              <Buttons />
            </Shown>
            <Shown name="Controls">
              <Controls />
            </Shown>
            <Shown name="Tables">
              <Tables />
            </Shown>
            <Shown name="States">
              <States />
            </Shown>
            <Shown name="Surfaces">
              <Surfaces />
            </Shown>
            <Shown name="Charts">
              <Bars />
            </Shown>
            <Shown name="Moving about">
              <Moving />
            </Shown>
          </div>
          <Shown name="Icons">
            <ul class="icons plain">
              {ICON_NAMES.map((name) => (
                <li>
                  <Icon name={name} /> {name}
                </li>
              ))}
            </ul>
          </Shown>
        </>
      ),
    }));
}

/** A part of the page; its id is what a screenshot is named after. */
function Shown({ name, children }: { name: string; children: Child }) {
  const id = name.toLowerCase().replaceAll(" ", "-");
  return (
    <section id={id} class="shown" aria-labelledby={`${id}-name`}>
      <h2 id={`${id}-name`}>{name}</h2>
      {children}
    </section>
  );
}

const SWATCHES = [
  ...["bg", "panel", "raised", "hover", "selected", "line", "line-strong", "control-line", "ink", "quiet"],
  ...["accent", "accent-hover", "accent-soft", "link", "focus"],
  ...["ok", "ok-soft", "warn", "warn-soft", "bad", "bad-soft", "bad-fill"],
  ...["chart-1", "chart-2", "chart-3", "chart-4"],
];

function Swatches() {
  return (
    <ul class="swatches plain">
      {SWATCHES.map((name) => (
        <li>
          <span class={`swatch swatch-${name}`}></span>
          <code>--{name}</code>
        </li>
      ))}
    </ul>
  );
}

function Text() {
  return (
    <>
      <h3>A heading of the third level</h3>
      <p>
        Running text with <a href={PATH}>a link</a>, <code>code</code>, <strong>emphasis</strong>, a key <kbd>Ctrl</kbd>
        {" "}
        <kbd>K</kbd> and a <mark>marked</mark> word.
      </p>
      <p class="quiet">Quiet text is secondary.</p>
      <p class="hint">A hint is smaller.</p>
      <ul>
        <li>An entry of a list</li>
        <li>
          Another one with <a href={PATH}>a link</a>
        </li>
      </ul>
      <pre><code>{'export default async (c) => c.json({ status: "ok" });'}</code></pre>
      <CopyLine id="copied" text="curl http://localhost:8000/run/orders" label="Copy the command" />
      <details>
        <summary>More</summary>
        <p>What is not needed at first.</p>
      </details>
    </>
  );
}

function Buttons() {
  return (
    <>
      <div class="actions">
        <Button icon="plus" type="button">Primary</Button>
        <Button kind="secondary" type="button">Secondary</Button>
        <Button kind="quiet" type="button">Quiet</Button>
        <Button kind="danger" type="button">Danger</Button>
        <Button kind="danger-quiet" icon="trash" type="button">Quiet danger</Button>
        <Button kind="link" type="button">Link</Button>
        <Button kind="quiet" icon="pencil" label="Edit" type="button" />
        <Button kind="secondary" icon="copy" label="Copy" type="button" />
        <ButtonLink href={PATH}>A link</ButtonLink>
        <ButtonLink href={PATH} kind="secondary" icon="download">Another</ButtonLink>
      </div>
      <div class="actions">
        <Button isSmall type="button">Small</Button>
        <Button isSmall kind="secondary" type="button">Small</Button>
        <Button isSmall kind="quiet" icon="x" label="Close" type="button" />
        <button type="button" disabled>Disabled</button>
        <button type="button" aria-busy="true">Sent</button>
        <button type="button" class="secondary" aria-busy="true">Sent</button>
        <Menu label="Actions" text="Actions" icon="chevron-down" kind="secondary" isAtStart>
          <MenuLink href={PATH} icon="pencil">Rename</MenuLink>
          <MenuPost action={PATH} icon="ban">Disable</MenuPost>
          <hr />
          <MenuLink href={PATH} icon="trash" isDanger>Delete …</MenuLink>
        </Menu>
        <Menu label="More" isAtStart>
          <MenuLink href={PATH}>One entry</MenuLink>
        </Menu>
        <Popover text="New file" icon="plus" kind="secondary">
          <form>
            <TextField name="popover-name" label="Path" />
            <Button type="button">Create file</Button>
          </form>
        </Popover>
        <Tooltip id="tip" text="Explains the button while it is pointed at or has the focus.">
          <button type="button" class="secondary" aria-describedby="tip">With a tooltip</button>
        </Tooltip>
      </div>
    </>
  );
}

interface Row {
  readonly name: string;
  readonly state: "ok" | "warn" | "bad" | "off";
  readonly calls: number;
}

const ROWS: readonly Row[] = [
  { name: "orders", state: "ok", calls: 12_408 },
  { name: "payments", state: "bad", calls: 311 },
  { name: "reports", state: "warn", calls: 9 },
  { name: "archive", state: "off", calls: 0 },
];
const STATE_NAMES = { ok: "enabled", bad: "failing", warn: "slow", off: "disabled" } as const;

function Tables() {
  return (
    <DataTable
      label="An example of a table"
      isStacked
      isLong
      rows={ROWS}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          sort: { href: PATH, direction: "ascending" },
          cell: ({ name }) => <a href={PATH}>{name}</a>,
        },
        { label: "State", cell: ({ state }) => <StatusDot kind={state}>{STATE_NAMES[state]}</StatusDot> },
        { label: "Address", cell: ({ name }) => <code>/{name}</code> },
        { label: "Calls", isFigure: true, sort: { href: PATH }, cell: ({ calls }) => calls.toLocaleString("en-US") },
        {
          label: "Actions",
          isActions: true,
          cell: ({ name }) => (
            <>
              <Button kind="quiet" icon="pencil" label={`Edit ${name}`} type="button" />
              <Menu label={`More actions for ${name}`}>
                <MenuLink href={PATH} icon="pencil">Rename</MenuLink>
              </Menu>
            </>
          ),
        },
      ]}
    />
  );
}

function States() {
  return (
    <>
      <p class="row">
        <Badge kind="ok">ok</Badge> <Badge kind="warn">due</Badge> <Badge kind="bad">failing</Badge>{" "}
        <Badge kind="plain">plain</Badge> <span class="chip">chip</span>{" "}
        <a class="chip" href={PATH}>
          <Icon name="key-round" /> chip with a link
        </a>
      </p>
      <p class="row">
        <StatusDot kind="ok">enabled</StatusDot> <StatusDot kind="warn">slow</StatusDot>{" "}
        <StatusDot kind="bad">failing</StatusDot> <StatusDot kind="off">disabled</StatusDot>
      </p>
      <Notice kind="info">
        <p>Something to know.</p>
      </Notice>
      <Notice kind="ok" title="Saved">
        <p>Calls get the new code from now on.</p>
      </Notice>
      <Notice
        kind="warn"
        title="Three secrets are due"
        actions={<ButtonLink href={PATH} kind="secondary">Show</ButtonLink>}
      />
      <Notice kind="bad" title="payments fails">
        <p>
          <code>TypeError: Cannot read properties of undefined</code>
        </p>
      </Notice>
      <div class="toast notice" role="status">Saved orders.ts.</div>
      <Skeleton />
    </>
  );
}

const HOUR_MS = 3_600_000;
/** Calls, errors and warnings of each hour. */
const HOURS = [[12, 0, 1], [30, 2, 0], [0, 0, 0], [45, 0, 4], [60, 12, 3], [8, 0, 0], [25, 1, 0], [3, 0, 0]] as const;

function Bars() {
  return (
    <>
      <BarChart
        label="Entries by hour"
        summary="Entries by hour: 205, at most 75 in an hour."
        from={Date.UTC(2026, 0, 31, 12)}
        widthMs={HOUR_MS}
        bars={HOURS.map(([info, error, warn]) => ({
          parts: [{ kind: "error", value: error }, { kind: "warn", value: warn }, { kind: "info", value: info }],
          says: `${info + error + warn} entries`,
          href: PATH,
        }))}
      />
      <Sparkline hours={HOURS.map(([info, error, warn]) => ({ calls: info + error + warn, failures: error }))} />
      <Sparkline hours={HOURS.map(() => ({ calls: 0, failures: 0 }))} />
    </>
  );
}

function Surfaces() {
  return (
    <>
      <Stats>
        <Stat label="Calls" figure="12,408" note="+12% than the day before" href={PATH} />
        <Stat label="Errors" figure="0.4%" kind="bad" note="payments" />
        <Stat label="p95" figure="86 ms" />
      </Stats>
      <Card title="A card" id="a-card" actions={<Button kind="secondary" isSmall type="button">Change</Button>}>
        <Facts>
          <Fact term="Created">2 days ago</Fact>
          <Fact term="Callers">staging, production</Fact>
          <Fact term="Isolation">one process for all callers</Fact>
        </Facts>
      </Card>
      <Card title="One fact a line" id="fact-lines">
        <Facts isLines>
          <Fact term="Created">2 days ago</Fact>
          <Fact term="Callers">staging, production</Fact>
        </Facts>
      </Card>
      <Card title="Delete this function" id="danger-card" kind="danger">
        <p>Its address answers 404 afterwards.</p>
        <Button kind="danger" type="button">Delete</Button>
      </Card>
      <dialog open aria-labelledby="dialog-name">
        <h2 id="dialog-name">Keyboard shortcuts</h2>
        <p>
          <kbd>Ctrl</kbd> <kbd>K</kbd> opens the search.
        </p>
        <Button kind="secondary" type="button">Close</Button>
      </dialog>
      <Empty
        icon="square-function"
        title="No functions yet"
        actions={<ButtonLink href={PATH}>New function</ButtonLink>}
      >
        <p>A function runs your code at a URL that you choose.</p>
      </Empty>
    </>
  );
}

function Moving() {
  return (
    <>
      <Tabs
        label="Pages of a function"
        tabs={[
          { href: PATH, label: "Code", isCurrent: true },
          { href: PATH, label: "Logs", count: 3 },
          { href: PATH, label: "Settings" },
        ]}
      />
      <Segments
        label="Range"
        tabs={[
          { href: PATH, label: "1 h" },
          { href: PATH, label: "24 h", isCurrent: true },
          { href: PATH, label: "30 d" },
        ]}
      />
      <nav class="breadcrumbs" aria-label="Breadcrumbs">
        <ul>
          <li>
            <a href={PATH}>Functions</a>
          </li>
          <li>
            <a href={PATH}>orders</a>
          </li>
          <li>Settings</li>
        </ul>
      </nav>
      <Pager next={PATH} what="entries" />
    </>
  );
}
