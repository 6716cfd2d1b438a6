/**
 * Metrics as text, in the format that the client prefers: Prometheus' format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats) or OpenMetrics 1.0.0 (RFC draft-richih-opsawg-openmetrics). As
 * JSON for `mesh metrics`.
 */
import type { Family, Labels, Registry } from './registry.ts';

/** An HTTP answer: the body and its media type. */
interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * Reads all metrics now, and writes them in the format that the request accepts.
 * @param accept the request's `Accept` header
 */
export function expose(registry: Registry, accept: string | undefined): Exposition {
  const families = registry.read();
  if (accept?.startsWith('application/json')) {
    return { contentType: 'application/json', body: `${JSON.stringify(families)}\n` };
  }
  return prefersOpenMetrics(accept ?? '')
    ? { contentType: OPEN_METRICS, body: `${families.map(openMetricsText).join('')}# EOF\n` }
    : { contentType: PROMETHEUS, body: families.map(prometheusText).join('') };
}

/** Whether the request accepts OpenMetrics 1.0.0, with a quality not below that of plain text (RFC 9110 §12.5.1). */
function prefersOpenMetrics(accept: string): boolean {
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const version = parameters.find((parameter) => parameter.startsWith('version='));
    return { type, version, quality: quality === undefined ? 1 : Number(quality.slice(2)) };
  });
  const open = ranges.filter(
    ({ type, version }) =>
      type === 'application/openmetrics-text' && (version === undefined || version === 'version=1.0.0'),
  );
  const plain = ranges.filter(({ type }) => type === 'text/plain');
  const best = (of: typeof ranges) => Math.max(0, ...of.map(({ quality }) => quality));
  return best(open) > 0 && best(open) >= best(plain);
}

function prometheusText(family: Family): string {
  const { name, type, help } = family;
  // In this format, help escapes backslash and line feed, but not quotes.
  const words = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${words}\n# TYPE ${name} ${type}\n${samplesText(family)}`;
}

/** In OpenMetrics the name of a counter's family lacks the `_total` of its sample. */
function openMetricsText(family: Family): string {
  const name = family.type === 'counter' ? family.name.replace(/_total$/, '') : family.name;
  const unit = /_(seconds|bytes)$/.exec(name)?.[1];
  const unitLine = unit === undefined ? '' : `# UNIT ${name} ${unit}\n`;
  return `# TYPE ${name} ${family.type}\n${unitLine}# HELP ${name} ${escaped(family.help)}\n${samplesText(family)}`;
}

function samplesText({ name, samples }: Family): string {
  return samples
    .map(({ suffix, labels, value }) => `${name}${suffix}${labelsText(labels)} ${number(value)}\n`)
    .join('');
}

/** Labels as both formats write them: `{name="value",…}`; empty when there are none. */
export function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
