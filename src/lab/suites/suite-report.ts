/** What tests of a lab have given, as TAP (version 14) and as JUnit's XML. Pure. */

/** As terminals and consoles have them (ECMA-48 §5.4). */
const CONTROL_SEQUENCE = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;?=]*[A-Za-z]`, 'g');

/** The result of one step. */
export interface StepResult {
  readonly name: string;
  readonly tookMs: number;
  /** Why the step has failed; absent for one that has passed. */
  readonly failure?: string;
  /** What the command said last. */
  readonly output: string;
}

/** The results of one lab. */
export interface SuiteResult {
  readonly name: string;
  readonly steps: readonly StepResult[];
  /** Why there was no lab to test, or why it broke. */
  readonly error?: string;
}

/** Lines that a reader of TAP sees at once, and the numbers in the end. */
export function tapText({ steps, error }: SuiteResult): string {
  const lines = steps.flatMap(({ name, failure, output, tookMs }, index) => [
    `${failure === undefined ? 'ok' : 'not ok'} ${index + 1} - ${oneLine(name)}`,
    ...(failure === undefined
      ? []
      : ['  ---', ...yamlLines({ message: failure, output }), `  duration_ms: ${Math.round(tookMs)}`, '  ...']),
  ]);
  return [
    'TAP version 14',
    ...(error === undefined ? [`1..${steps.length}`] : []),
    ...lines,
    ...(error === undefined ? [] : [`Bail out! ${oneLine(error)}`]),
    `# ${countsText(steps)}`,
    '',
  ].join('\n');
}

/** `2 passed, 0 failed` */
export function countsText(steps: readonly StepResult[]): string {
  const failed = steps.filter(({ failure }) => failure !== undefined).length;
  return `${steps.length - failed} passed, ${failed} failed`;
}

/** One suite. Readers of JUnit's XML differ: this is the part that all of them know. */
export function junitText({ name, steps, error }: SuiteResult, at: Date): string {
  const failures = steps.filter(({ failure }) => failure !== undefined).length;
  const seconds = (ms: number) => (ms / 1_000).toFixed(3);
  const total = steps.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const cases = steps.map(
    (step) =>
      `    <testcase name="${xml(step.name)}" classname="${xml(name)}" time="${seconds(step.tookMs)}">` +
      (step.failure === undefined ? '' : `<failure message="${xml(step.failure)}"/>`) +
      `<system-out>${xml(step.output)}</system-out></testcase>`,
  );
  const broken =
    error === undefined
      ? []
      : [`    <testcase name="lab" classname="${xml(name)}" time="0.000"><error message="${xml(error)}"/></testcase>`];
  const tests = steps.length + broken.length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="${xml(name)}" timestamp="${at.toISOString().slice(0, 19)}" tests="${tests}" failures="${failures}" errors="${broken.length}" skipped="0" time="${seconds(total)}">`,
    ...cases,
    ...broken,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** The one way in which text enters the XML: XML 1.0 allows no control characters, which consoles are full of. */
function xml(text: string): string {
  return plain(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Text without what a terminal acts on, and without what XML 1.0 (§2.2) does not allow. */
function plain(text: string): string {
  return [...text.replaceAll(CONTROL_SEQUENCE, '')].filter(isAllowed).join('');
}

function isAllowed(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return char === '\t' || char === '\n';
  return code !== 0x7f && !(code >= 0xd800 && code < 0xe000) && code !== 0xfffe && code !== 0xffff;
}

/** A `#` begins a directive in TAP. */
function oneLine(text: string): string {
  return plain(text).replaceAll(/\s+/g, ' ').replaceAll('\\', '\\\\').replaceAll('#', '\\#');
}

function yamlLines(fields: Readonly<Record<string, string>>): string[] {
  return Object.entries(fields).map(([key, text]) => `  ${key}: ${JSON.stringify(plain(text))}`);
}
