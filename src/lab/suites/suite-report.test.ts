import { expect, test } from 'vitest';
import { readSuite } from './suite-file.ts';
import { junitText, type SuiteResult, tapText } from './suite-report.ts';

const result: SuiteResult = {
  name: 'mine',
  steps: [
    { name: 'pings # all', tookMs: 12.4, output: 'fine\n' },
    { name: 'a <b>', tookMs: 1_000, failure: 'ended with 1, not 0', output: 'x\u0000\u001b[6ny & "z"\n' },
  ],
};

test('TAP', () => {
  expect(tapText(result)).toBe(`TAP version 14
1..2
ok 1 - pings \\# all
not ok 2 - a <b>
  ---
  message: "ended with 1, not 0"
  output: "xy & \\"z\\"\\n"
  duration_ms: 1000
  ...
# 1 passed, 1 failed
`);
  expect(tapText({ name: 'mine', steps: [], error: 'no\nlab' })).toBe(
    'TAP version 14\nBail out! no lab\n# 0 passed, 0 failed\n',
  );
});

test('JUnit', () => {
  const text = junitText(result, new Date('2026-01-02T03:04:05Z'));
  expect(text).toContain(
    '<testsuite name="mine" timestamp="2026-01-02T03:04:05" tests="2" failures="1" errors="0" skipped="0" time="1.012">',
  );
  expect(text).toContain(
    '<testcase name="a &lt;b&gt;" classname="mine" time="1.000"><failure message="ended with 1, not 0"/><system-out>xy &amp; &quot;z&quot;\n</system-out>',
  );
  expect(junitText({ name: 'm', steps: [], error: 'broke' }, new Date(0))).toContain('errors="1"');
});

test.each([
  ['steps: []\n', /topology does not fit/],
  ['topology: default\nsteps: []\n', /there are no steps/],
  ['topology: default\nsteps:\n  - { name: a, on: vm-300, run: x }\n', /steps\.0\.on does not fit/],
  ['topology: default\nsteps:\n  - { name: a, on: vm-001, run: x, says: "(" }\n', /steps\.0\.says does not fit/],
])('a suite with a fault is told', (text, says) => {
  expect(() => readSuite('test.yaml', text)).toThrow(
    expect.objectContaining({ code: 'MESH_LAB_TOPOLOGY', message: expect.stringMatching(says) }),
  );
});

test('a suite', () => {
  expect(readSuite('test.yaml', 'topology: default\nsteps:\n  - { name: a, on: host0, run: "true" }\n')).toEqual({
    topology: 'default',
    steps: [{ name: 'a', on: 'host0', run: 'true', withinSec: 10, code: 0 }],
  });
});
