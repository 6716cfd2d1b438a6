/** The docs, the dashboard and the alerts cover all metrics and log fields, and name no others. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { MetricHead, MetricType } from '../src/metrics/registry.ts';
import { EVENT_FIELDS } from '../src/protocol/journal/event.ts';
import { everyMetric, type Process } from './metrics/every-metric.ts';
import { readExposition } from './metrics/exposition-parser.ts';

const TOP = new URL('..', import.meta.url).pathname;
const PAGE = readFileSync(`${TOP}docs/observability.md`, 'utf8');
const DASHBOARD = readFileSync(`${TOP}packaging/grafana/meshwork.json`, 'utf8');
const RULES = readFileSync(`${TOP}packaging/prometheus/meshwork.rules.yml`, 'utf8');

interface Known extends MetricHead {
  readonly type: MetricType;
  readonly processes: readonly Process[];
}

const METRICS = knownMetrics();

function knownMetrics(): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const process of ['host0', 'agent'] as const) {
    for (const head of everyMetric(process).heads()) {
      const before = known.get(head.name);
      if (before !== undefined) expect({ ...head, processes: before.processes }).toEqual(before);
      known.set(head.name, { ...head, processes: [...(before?.processes ?? []), process] });
    }
  }
  return known;
}

/** Names of metrics in a text, without the suffixes of histograms. */
function namesIn(text: string): string[] {
  const names = Array.from(text.matchAll(/\b(?:meshwork|process)_[a-z0-9_]+/g), ([name]) => name);
  return [...new Set(names)].map((name) => {
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    return METRICS.get(base)?.type === 'histogram' ? base : name;
  });
}

/** `metric{label=…}` and `by (label, …)`. */
function labelsIn(expression: string): string[] {
  const inBraces = Array.from(expression.matchAll(/[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label);
  const grouped = Array.from(expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g), ([, list = '']) => list.split(/, */));
  return [...inBraces, ...grouped.flat()];
}

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

/** The row of a metric in the table of the docs. */
function rowOf({ name, type, labels = [], help, processes }: Known): string {
  const where = processes.length === 2 ? 'both' : processes[0];
  return `| \`${name}\` | ${type} | ${where} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
}

describe('the docs', () => {
  test('have every metric with its meaning, and no others', () => {
    const rows = PAGE.split('\n').filter((line) => /^\| `(?:meshwork|process)_/.test(line));
    expect(rows).toEqual([...METRICS.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(rowOf));
    for (const name of namesIn(PAGE)) expect(METRICS.has(name), name).toBe(true);
  });

  test('have every field of a log line, and no others', () => {
    const rows = PAGE.split('\n').filter((line) => /^\| `[a-zA-Z]+` \|/.test(line));
    expect(rows).toEqual(Object.entries(EVENT_FIELDS).map(([field, meaning]) => `| \`${field}\` | ${meaning} |`));
  });

  test('name each alert', () => {
    for (const [, alert = ''] of RULES.matchAll(/- alert: (\w+)/g)) expect(PAGE).toContain(`\`${alert}\``);
  });
});

describe('the dashboard', () => {
  const { panels, templating }: Dashboard = JSON.parse(DASHBOARD);
  const targets = panels.flatMap((panel) => panel.targets ?? []);

  test('uses only metrics and labels that exist', () => {
    expect(targets.length).toBeGreaterThan(20);
    for (const { expr, legendFormat } of targets) {
      const names = namesIn(expr);
      expect(names.length, expr).toBeGreaterThan(0);
      const own = names.flatMap((name) => METRICS.get(name)?.labels ?? []);
      const legend = Array.from(legendFormat.matchAll(/\{\{(\w+)\}\}/g), ([, label = '']) => label);
      for (const name of names) expect(METRICS.has(name), name).toBe(true);
      for (const label of [...labelsIn(expr), ...legend]) expect([...own, 'instance', 'le'], expr).toContain(label);
    }
  });

  test('shows every metric', () => {
    const shown = new Set(namesIn(DASHBOARD));
    expect([...METRICS.keys()].filter((name) => !shown.has(name))).toEqual([]);
  });

  test('has each panel once, and defines its variables', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const variables = templating.list.map(({ name }) => name);
    for (const [, name = ''] of DASHBOARD.matchAll(/\$\{?([a-z]+)\b/g)) expect(variables).toContain(name);
  });
});

test('the alerts use only metrics and labels that exist', () => {
  const expressions = Array.from(RULES.matchAll(/^ +expr: (.+)$/gm), ([, expression = '']) => expression);
  expect(expressions.length).toBe(RULES.match(/- alert:/g)?.length);
  for (const expression of expressions) {
    const names = namesIn(expression);
    expect(names.length, expression).toBeGreaterThan(0);
    for (const name of names) expect(METRICS.has(name), name).toBe(true);
    const own = names.flatMap((name) => METRICS.get(name)?.labels ?? []);
    for (const label of labelsIn(expression)) expect([...own, 'instance'], expression).toContain(label);
  }
});

describe.each(['host0', 'agent'] as const)('%s before any measurement', (process) => {
  test('has a readable text, with a meaning and a unit for each metric', async () => {
    const { expose } = await import('../src/metrics/exposition.ts');
    const families = readExposition(expose(everyMetric(process), undefined).body);
    for (const { name, help, type } of families.values()) {
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });
});
