/** `mesh system scan` and `mesh system boot`: the segments that machines boot on. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { BootView, LeaseView, ScanView, SegmentView } from '../../protocol/documents/boot-views.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { restartCommand } from '../../protocol/http/service-manager.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { durationText } from '../print/duration.ts';
import { localTime } from '../print/event-line.ts';
import { withProgress } from '../print/progress.ts';
import { properties } from '../print/properties.ts';
import { scanSvg, scanText } from '../print/scan-picture.ts';
import { type Column, table } from '../print/table.ts';
import { unwritable } from '../print/unwritable.ts';
import { Daemon } from './daemon.ts';
import { pendingSettings } from './pending-settings.ts';

/** A scan of a thousand NICs takes less. */
const SCAN_TIMEOUT_MS = 30_000;

/** Adds `mesh system scan`. `--json` prints the `ScanView`. */
export function addScan(system: Command, context: Context): void {
  system
    .command('scan')
    .description("Find out which of host0's NICs are on one segment, and draw it")
    .option('--svg <file>', 'also draw it into this file')
    .addHelpText(
      'after',
      '\nOne NIC after another sends a probe, and the others listen. NICs that hear each other are on one segment.\n' +
        '\nExamples:\n  $ mesh system scan\n  $ mesh system scan --svg segments.svg',
    )
    .action(async ({ svg }: { svg?: string }) => {
      const asked = host0Client(context.paths).ask('POST /v1/scan', { timeoutMs: SCAN_TIMEOUT_MS });
      const view = await withProgress(context.stderr, 'Listening on every NIC', asked);
      if (svg !== undefined) await draw(svg, view);
      context.answer(view, () => scanText(view, context.paint));
    });
}

async function draw(file: string, view: ScanView): Promise<void> {
  try {
    await writeFile(file, scanSvg(view));
  } catch (cause) {
    throw unwritable(file, '--svg', cause);
  }
}

/** Adds `mesh system boot`. `--json` prints the `BootView`. */
export function addBoot(system: Command, context: Context): void {
  system
    .command('boot')
    .description('Show what host0 does on each segment that machines boot on, and why')
    .addHelpText('after', '\nExample:\n  $ mesh system boot')
    .action(async () => {
      const view = await host0Client(context.paths).ask('GET /v1/boot');
      const pending = await pendingSettings(context);
      context.answer(view, () => bootText(view, pending, context));
    });
}

function bootText({ boot, installation, segments }: BootView, pending: readonly Finding[], context: Context): string {
  const about = properties(
    [
      ['boot', boot === 'dry' ? 'dry: nothing is answered' : boot],
      ['installation', boot === 'off' ? undefined : installation],
    ],
    context.paint,
  );
  const changed = pending.map(({ message, remedy }) => `\n${message}.\n→ ${remedy}\n`).join('');
  if (boot === 'off')
    return `${about}\nhost0 boots no machines here${changed === '' ? bootRemedy(context) : '.'}\n${changed}`;
  if (segments.length === 0) return `${about}${changed}\nNo NIC has a carrier, or the first scan is under way.\n`;
  const details = segments.map((segment) => segmentText(segment, context)).join('');
  return `${about}${changed}\n${table(segments, SEGMENT_COLUMNS, context.page)}${details}`;
}

function bootRemedy(context: Context): string {
  const pid = new Daemon('host0', context).pid();
  const restart = pid === undefined ? '' : `: ${restartCommand('host0', context.paths.root, pid)}`;
  return `: write boot="auto" into host0.conf, and restart host0${restart}.`;
}

const TONES: Readonly<Record<SegmentView['mode'], Tone>> = {
  server: 'good',
  proxy: 'good',
  observe: 'warning',
  off: 'quiet',
};

const SEGMENT_COLUMNS: readonly Column<SegmentView>[] = [
  { title: 'NIC', text: ({ device }) => device },
  { title: 'ALSO', text: ({ device, nics }) => nics.filter((nic) => nic !== device).join(' ') || '-' },
  { title: 'MODE', text: ({ mode }) => mode, tone: ({ mode }) => TONES[mode] },
  { title: 'SINCE', text: ({ sinceSec }) => durationText(sinceSec) },
  { title: 'WHY', text: whyText },
  { title: 'SUBNET', text: ({ subnet }) => subnet?.subnet ?? '-' },
  { title: 'HOST0', text: ({ subnet }) => subnet?.ipv4 ?? '-' },
  { title: 'LEASES', text: ({ leases }) => String(leases.length), align: 'right' },
];

const LEASE_COLUMNS: readonly Column<LeaseView & { readonly device: string }>[] = [
  { title: 'NIC', text: ({ device }) => device },
  { title: 'MAC', text: ({ mac }) => mac },
  { title: 'IPV4', text: ({ ipv4 }) => ipv4 },
  { title: 'NAME', text: ({ name }) => name ?? '-', flexible: true },
  { title: 'UNTIL', text: ({ expires }) => localTime(expires) },
];

function whyText({ reason, wanted, settlesInSec }: SegmentView): string {
  const settling = settlesInSec === undefined ? '' : `, its port just came up: for ${durationText(settlesInSec)} more`;
  return `${reason}${settling}${wanted === 'auto' ? '' : ` (wanted: ${wanted})`}`;
}

/** What the table of segments has no room for: servers, other host0s, errors, dry answers and leases. */
function segmentText(
  { device, foreignServers, otherHost0s, leases, remark, remedy, wouldHaveAnswered }: SegmentView,
  { page, paint }: Context,
): string {
  const lines = [
    ...foreignServers.map(
      ({ server, mac, gives, subnet, heardSecAgo }) =>
        `${server} (${mac}) gives out ${gives}${subnet === undefined ? '' : ` of ${subnet}`}, heard ${durationText(heardSecAgo)} ago`,
    ),
    ...otherHost0s.map(
      ({ ipv4, installation, senior, heardSecAgo }) =>
        `another host0, ${ipv4 ?? 'without an address'} (${installation}), ${senior ? 'was here first' : 'came later'}, heard ${durationText(heardSecAgo)} ago`,
    ),
    ...(remark === undefined ? [] : [remark]),
    ...(remedy === undefined ? [] : [`→ ${remedy}`]),
    ...(wouldHaveAnswered ?? []).map((answer) => `would have answered ${answer}`),
  ];
  if (lines.length === 0 && leases.length === 0) return '';
  const text = properties(
    lines.map((line) => [device, line] as const),
    paint,
  );
  const rows = leases.map((lease) => ({ ...lease, device }));
  return `\n${lines.length === 0 ? '' : text}${table(rows, LEASE_COLUMNS, page)}`;
}
