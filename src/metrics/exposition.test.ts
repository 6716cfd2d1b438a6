/** Both text formats and JSON, read back by an independent parser. */
import { expect, test } from 'vitest';
import { readExposition } from '../../test/metrics/exposition-parser.ts';
import { expose } from './exposition.ts';
import { Registry } from './registry.ts';

const NASTY = 'a "quoted"\\path\nand a second line, {braces} and, commas';

function example(): Registry {
  const registry = new Registry();
  const jobs = registry.counter(
    { name: 'jobs_total', help: 'Jobs with \\ and\nlines and "quotes".', labels: ['kind', 'who'] },
    [{ kind: 'none', who: '' }],
  );
  jobs.add({ kind: 'paint', who: NASTY });
  jobs.add({ who: NASTY, kind: 'paint' }, 2);
  registry.gauge({ name: 'room_bytes', help: 'Room.' }, () => [{ value: Number.POSITIVE_INFINITY }]);
  const times = registry.histogram({ name: 'work_seconds', help: 'Work.', labels: ['who'] }, [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 3]) times.observe({ who: 'a' }, value);
  registry.histogram({ name: 'idle_seconds', help: 'Nothing yet.' }, [1]);
  registry.gauge({ name: 'empty', help: 'Has no samples.', labels: ['who'] }, () => []);
  return registry;
}

test('the text is read back to the same metrics', () => {
  const { contentType, body } = expose(example(), undefined);
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  const families = readExposition(body);
  expect([...families.values()].map(({ name, type, help }) => [name, type, help])).toEqual([
    ['jobs_total', 'counter', 'Jobs with \\ and\nlines and "quotes".'],
    ['room_bytes', 'gauge', 'Room.'],
    ['work_seconds', 'histogram', 'Work.'],
    ['idle_seconds', 'histogram', 'Nothing yet.'],
    ['empty', 'gauge', 'Has no samples.'],
  ]);
  expect(families.get('jobs_total')?.samples).toEqual([
    { name: 'jobs_total', labels: { kind: 'none', who: '' }, value: 0 },
    { name: 'jobs_total', labels: { kind: 'paint', who: NASTY }, value: 3 },
  ]);
  expect(families.get('room_bytes')?.samples).toEqual([{ name: 'room_bytes', labels: {}, value: Infinity }]);
  expect(families.get('work_seconds')?.samples).toEqual([
    { name: 'work_seconds_bucket', labels: { who: 'a', le: '0.1' }, value: 2 },
    { name: 'work_seconds_bucket', labels: { who: 'a', le: '1' }, value: 3 },
    { name: 'work_seconds_bucket', labels: { who: 'a', le: '+Inf' }, value: 4 },
    { name: 'work_seconds_sum', labels: { who: 'a' }, value: 3.65 },
    { name: 'work_seconds_count', labels: { who: 'a' }, value: 4 },
  ]);
  expect(families.get('idle_seconds')?.samples.map(({ value }) => value)).toEqual([0, 0, 0, 0]);
});

test('OpenMetrics is used when its quality is at least that of plain text', () => {
  // What Prometheus 3 sends.
  const prometheus =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
  const { contentType, body } = expose(example(), prometheus);
  expect(contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  expect(body.split('\n').slice(0, 3)).toEqual([
    '# TYPE jobs counter',
    '# HELP jobs Jobs with \\\\ and\\nlines and \\"quotes\\".',
    'jobs_total{kind="none",who=""} 0',
  ]);
  expect(body).toContain('# TYPE room_bytes gauge\n# UNIT room_bytes bytes\n');
  expect(body.endsWith('\n# EOF\n')).toBe(true);
  for (const accept of [
    'text/plain',
    '*/*',
    'application/openmetrics-text;q=0.1, text/plain',
    'application/openmetrics-text; version=2.0.0',
  ]) {
    expect(expose(example(), accept).contentType).toMatch(/^text\/plain/);
  }
});

test('JSON has the same metrics', () => {
  const { contentType, body } = expose(example(), 'application/json');
  expect(contentType).toBe('application/json');
  expect(JSON.parse(body)).toMatchObject([{ name: 'jobs_total', type: 'counter' }, {}, {}, {}, { samples: [] }]);
});

test('names that Prometheus or OpenMetrics would refuse throw', () => {
  const registry = example();
  const help = '';
  expect(() => registry.counter({ name: 'jobs', help })).toThrow(/new counter/);
  expect(() => registry.gauge({ name: 'things_total', help }, () => [])).toThrow(/new gauge/);
  expect(() => registry.gauge({ name: 'jobs', help }, () => [])).toThrow(/new gauge/);
  expect(() => registry.counter({ name: 'room_bytes_total', help })).toThrow(/new counter/);
  expect(() => registry.gauge({ name: 'Big', help }, () => [])).toThrow(/new gauge/);
  expect(() => registry.histogram({ name: 'x', help, labels: ['le'] })).toThrow(/label/);
});
