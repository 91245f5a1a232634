// Leaves out of an event what rush_monitor would not keep, before it is sent.
//
//   import * as Sentry from '@sentry/node';            // or '@sentry/browser'
//   import { rushDetail } from './rush-detail.mjs';
//
//   Sentry.init({ dsn: DSN, beforeSend: rushDetail(DSN) });
//
// Copy this file into your project; it needs Node 18 or a browser, and nothing else.
// Events are cut, never dropped: each one must arrive to be counted. Where the rules are
// not known, as for the first event, the event goes out whole and rush_monitor cuts it.

const LEVELS = { debug: 10, info: 20, log: 20, warning: 30, error: 40, fatal: 50 };
const LAST_CRUMBS = 20;
const RETRY_MS = 60_000;
const TIMEOUT_MS = 5_000;
const MOST_ANSWERS = 2_000;

// A beforeSend. `then` is your own, which sees the event first; `wait` is how many
// milliseconds an event may wait for rules that are not known yet. The rules are fetched
// beside the program's work, and again when they are five minutes old.
export function rushDetail(dsn, { then, wait = 0 } = {}) {
  const ask = asker(dsn, wait);
  return async (event, hint) => {
    const changed = then ? await then(event, hint) : event;
    if (!changed) return changed;
    try {
      const told = await rulesFor(changed, ask);
      if (told) cut(changed, hint, detailOf(changed, told.rules));
    } catch {
      // The event goes out as it is.
    }
    return changed;
  };
}

async function rulesFor(event, ask) {
  const sender = { release: event.release ?? '', environment: event.environment ?? '' };
  const told = await ask({ tenant: '', ...sender });
  if (!told?.by_tenant) return told;
  const named = told.tenant_tags.map((tag) => event.tags?.[tag]).find(Boolean);
  return named ? ask({ tenant: String(named), ...sender }) : told;
}

function asker(dsn, wait) {
  const url = new URL(dsn);
  const prefix = url.pathname.slice(0, url.pathname.lastIndexOf('/'));
  const base = `${url.protocol}//${url.host}${prefix}/api/v1/detail/`;
  const answers = new Map();

  async function fetchRules(asked, answer) {
    const query = new URLSearchParams({ sentry_key: url.username });
    for (const [name, value] of Object.entries(asked)) {
      if (value) query.set(name, value);
    }
    try {
      const options = { signal: AbortSignal.timeout(TIMEOUT_MS) };
      const response = await fetch(`${base}?${query}`, options);
      if (!response.ok) return;
      const told = await response.json();
      answer.askAgain = Date.now() + 1000 * told.max_age;
      answer.told = told;
    } catch {
      // It is asked again after RETRY_MS.
    }
  }

  return async (asked) => {
    const name = JSON.stringify(asked);
    if (!answers.has(name) && answers.size >= MOST_ANSWERS) answers.clear();
    if (!answers.has(name)) answers.set(name, { askAgain: 0 });
    const answer = answers.get(name);
    if (Date.now() >= answer.askAgain) {
      answer.askAgain = Date.now() + RETRY_MS;
      answer.fetching = fetchRules(asked, answer);
    }
    if (!answer.told && wait) await Promise.race([answer.fetching, pause(wait)]);
    return answer.told;
  };
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    timer.unref?.(); // It must not keep a Node process alive.
  });
}

// The detail of the first rule that matches: minimal, standard or full.
export function detailOf(event, rules) {
  const level = LEVELS[event.level ?? 'error'] ?? 40;
  const fits = (rule) => {
    if (level < LEVELS[rule.min_level] || level > LEVELS[rule.max_level]) return false;
    if (!rule.tag) return true;
    const value = event.tags?.[rule.tag];
    return value !== undefined && value !== null && matches(rule.value || '*', String(value));
  };
  return rules.find(fits)?.detail ?? 'full';
}

// Whether the whole text fits; * stands for any characters.
export function matches(pattern, text) {
  const [first, ...rest] = pattern.split('*');
  if (!rest.length) return text === first;
  const last = rest.pop();
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - at >= last.length && text.endsWith(last);
}

// Cut the event to its detail, in place. What counts or groups it stays.
export function cut(event, hint, detail) {
  if (detail === 'full') return;
  const minimal = detail === 'minimal';
  for (const frame of framesOf(event)) {
    delete frame.vars;
    if (minimal) {
      delete frame.pre_context;
      delete frame.post_context;
    }
  }
  if (event.request) delete event.request.data;
  if (event.breadcrumbs) event.breadcrumbs = minimal ? [] : event.breadcrumbs.slice(-LAST_CRUMBS);
  if (minimal) delete event.extra;
  if (hint?.attachments) hint.attachments = [];
}

function framesOf(event) {
  const values = [...(event.exception?.values ?? []), ...(event.threads?.values ?? [])];
  return values.flatMap((value) => value.stacktrace?.frames ?? []);
}
