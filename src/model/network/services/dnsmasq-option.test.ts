/** A network's own lines for dnsmasq run nothing as root. */
import { expect, test } from 'vitest';
import { optionRemedy } from './dnsmasq-option.ts';

test.each([
  'dhcp-script=/bin/x',
  ' conf-dir = /tmp',
  '"dhcp-script"=/bin/x',
  'us"e"r=root',
  'conf-"\\f"ile=/x',
  'leasefile-ro',
])('%j is refused', (line) => expect(optionRemedy(line)).toMatch(/^Leave \S+ out/));

test('a line that dnsmasq would take for two is refused', () => {
  expect(optionRemedy(`txt-record=a,${'ö'.repeat(510)}dhcp-script=/bin/x`)).toContain('1000 bytes');
});

test.each([
  'dhcp-option=42,10.0.0.1',
  'txt-record=a,conf-file',
  'log-queries',
  'domain=user',
  '',
])('%j is written', (line) => expect(optionRemedy(line)).toBeUndefined());
