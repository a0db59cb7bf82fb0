// Keeps the state of the cluster up to date while the page is visible.

const REFRESH_MS = 5_000;

async function refresh() {
  const state = document.getElementById("cluster-state");
  // What is being copied or selected stays as it is.
  if (document.hidden || state.contains(document.activeElement) || !getSelection().isCollapsed) return;
  const answer = await fetch(location.href);
  if (!answer.ok && answer.status !== 503) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("cluster-state");
  // The session has ended.
  if (!fresh) return;
  state.replaceWith(fresh);
  showTimes(fresh);
}

setInterval(() => refresh().catch(() => {}), REFRESH_MS);
