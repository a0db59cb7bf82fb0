// Implements /web, the overview: what needs attention, the health of the server, calls, and what changed last; on a new
// server, the first steps.

import type { Child } from "hono/jsx";
import { Icon } from "../../icons/icon.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Card } from "../../ui/card.tsx";
import { Ago } from "../../ui/components.tsx";
import { phraseOf, whoOf } from "../audit/phrases.ts";
import { Attention, concernsOf } from "./attention.tsx";
import { DayChart } from "./day_chart.tsx";
import { addFirstSteps, FirstSteps } from "./first_steps.tsx";
import { State } from "./state.tsx";

/** How many deployments, and entries of the audit, are listed. */
const LAST_MAX = 6;
const MESSAGE_MAX_LENGTH = 80;

export function addHome(web: Web, deps: WebDeps): void {
  web.get("/web", async (c) => {
    const concerns = await concernsOf(deps);
    const steps = c.get("firstSteps")() && await FirstSteps({ c, deps });
    return page(c, {
      title: "Overview",
      styles: ["bars.css", "home.css"],
      children: (
        <>
          {steps}
          <Attention concerns={concerns} />
          <div class="overview">
            <div>
              {!steps && concerns.length === 0 && (
                <p class="nothing">
                  <Icon name="circle-check" /> Nothing needs attention.
                </p>
              )}
              <DayChart deps={deps} href="/web/metrics?range=two-days" />
              {!steps && <LastChanges deps={deps} />}
            </div>
            <div>
              {(!steps || deps.registry.counts().total > 0) && <State deps={deps} />}
              <LastDeployments deps={deps} />
            </div>
          </div>
        </>
      ),
    });
  });
  addFirstSteps(web);
}

function LastDeployments({ deps: { deployments, now } }: { deps: WebDeps }) {
  const last = deployments.list(Number.MAX_SAFE_INTEGER, LAST_MAX).deployments;
  if (last.length === 0) return null;
  return (
    <Card title="Last deployments" id="deployments" actions={<a href="/web/deployments">All deployments</a>}>
      <Lines>
        {last.map(({ id, at, message }) => (
          <Line at={at} now={now()}>
            <a href={`/web/deployments/${id}`}>
              {message === "" ? `Deployment ${id}` : `Deployment ${id}: ${message.slice(0, MESSAGE_MAX_LENGTH)}`}
            </a>
          </Line>
        ))}
      </Lines>
    </Card>
  );
}

function LastChanges({ deps: { audit, now } }: { deps: WebDeps }) {
  const { entries } = audit.list({}, Number.MAX_SAFE_INTEGER, LAST_MAX);
  if (entries.length === 0) return null;
  return (
    <Card title="Recent changes" id="changes" actions={<a href="/web/audit">Whole audit</a>}>
      <Lines>
        {entries.map((row) => {
          const { did, name } = phraseOf(row);
          return (
            <Line at={row.at} now={now()}>
              {whoOf(row)} {did} {name && <strong>{name}</strong>}
            </Line>
          );
        })}
      </Lines>
    </Card>
  );
}

function Lines({ children }: { children: Child }) {
  return <ul class="last-lines">{children}</ul>;
}

function Line({ at, now, children }: { at: number; now: number; children: Child }) {
  return (
    <li>
      <span>{children}</span>
      <Ago ms={at} now={now} />
    </li>
  );
}
