/** A scan as text and as SVG. */
import { expect, test } from 'vitest';
import type { Mac } from '../../model/address/mac.ts';
import type { NicView, ScanView } from '../../protocol/documents/boot-views.ts';
import { scanSvg, scanText } from './scan-picture.ts';

function nic(name: string, extra: Partial<NicView> = {}): NicView {
  return { name, mac: '02:00:00:00:00:01' as Mac, up: true, carrier: true, ipv4: [], ...extra };
}

const VIEW: ScanView = {
  time: '2026-11-21T09:00:00.000Z',
  tookMs: 480,
  groups: [['eth1', 'eth2', 'eth3'], ['eth10'], ['br0', 'eth4']],
  nics: [
    nic('eth1', { ipv4: ['10.11.0.1/25'] }),
    nic('eth2'),
    nic('eth3'),
    nic('eth10', { ipv4: ['192.168.1.7/24'] }),
    nic('br0', { ipv4: ['10.3.0.1/24'] }),
    nic('eth4', { bridge: 'br0' }),
    nic('eth5', { carrier: false }),
    nic('a<b&"c"\u001b', { up: false, carrier: false }),
  ],
  heard: [],
};

test('as text', () => {
  expect(scanText(VIEW, (_, text) => text)).toMatchInlineSnapshot(`
    "eth1           10.11.0.1/25    ─┬─ segment 1
    eth2                           ─┤
    eth3                           ─┘

    eth10          192.168.1.7/24  ─── segment 2

    br0            10.3.0.1/24     ─┬─ segment 3
    eth4 (in br0)                  ─┘

    eth5           no carrier
    a<b&"c"\\x1b    down
    "
  `);
  expect(scanText({ ...VIEW, groups: [], nics: [] }, (_, text) => text)).toMatch(/no NIC/);
});

test('as SVG: every NIC and segment, and no markup from names', () => {
  const svg = scanSvg(VIEW);
  for (const { name } of VIEW.nics.slice(0, -1)) expect(svg).toContain(`>${name}`);
  expect(svg.match(/class="segment"/g)).toHaveLength(3);
  expect(svg.match(/class="dead"/g)).toHaveLength(2);
  expect(svg).toContain('>a&#60;b&#38;&#34;c&#34;\\x1b<');
  expect(svg.match(/<(?:text|title)[ >]/g)?.length).toBe(svg.match(/<\/(?:text|title)>/g)?.length);
});
