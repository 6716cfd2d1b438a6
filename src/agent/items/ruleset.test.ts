/** What gets into an nft script: set elements, and nothing that only begins like one. */
import { expect, test } from 'vitest';
import { type RulesetItem, rulesetKind, rulesetScript } from './ruleset.ts';

function table(...elements: string[]): RulesetItem {
  const sets = new Map([['sources_456', { declaration: 'type ipv4_addr', elements: new Set(elements) }]]);
  return { kind: 'ruleset', family: 'inet', sets, body: '', intact: true };
}

test.each([
  '10.11.0.2',
  '10.11.0.0/24',
  '456',
  '"eth1"',
  '"eth1" . 02:00:00:00:00:01',
  'fd42::1',
])('the element %s is written as it is', (element) => {
  expect(rulesetScript(table(element))).toContain(`elements = { ${element} };`);
});

test.each([
  '10.11.0.7 }\nadd table ip evil\n',
  '10.11.0.7, 10.11.0.8',
  'include "/etc/shadow"',
  '"eth1" accept',
  '"a b"',
  '',
  '$x',
])('the text %j is refused, in a whole table and as a change of elements', (text) => {
  const refusal = expect.objectContaining({ code: 'MESH_INTERNAL' });
  expect(() => rulesetScript(table(text))).toThrow(refusal);
  expect(() => rulesetKind.change(table(), table(text))).toThrow(refusal);
});
