/** The shapes of host0's boot segments (documents/boot-views.ts). */
import * as z from 'zod/mini';
import { BOOT_MODES, type BootView, type ScanView, type SegmentView, WANTED_MODES } from '../documents/boot-views.ts';
import { listOf, type Shape } from './document.ts';
import { Ipv4CidrShape, Ipv4Shape, MacShape } from './parts.ts';

const NICS_MAX = 4_096;
const Names = listOf(z.string(), NICS_MAX);

/** The result of a scan. */
export const ScanShape: Shape<ScanView> = z.looseObject({
  time: z.string(),
  tookMs: z.number(),
  groups: listOf(Names, NICS_MAX),
  nics: listOf(
    z.looseObject({
      name: z.string(),
      mac: MacShape,
      up: z.boolean(),
      carrier: z.boolean(),
      ipv4: listOf(z.string(), NICS_MAX),
      bridge: z.exactOptional(z.string()),
    }),
    NICS_MAX,
  ),
  heard: listOf(z.looseObject({ from: z.string(), by: z.string() }), NICS_MAX * 64),
});

const Segment: Shape<SegmentView> = z.looseObject({
  nics: Names,
  device: z.string(),
  wanted: z.enum(WANTED_MODES),
  mode: z.enum(BOOT_MODES),
  reason: z.enum([
    'configured',
    'probing',
    'as before',
    'another server answers',
    'server silent',
    'nobody else answers',
    'another host0',
  ]),
  sinceSec: z.number(),
  service: z.exactOptional(
    z.looseObject({ state: z.enum(['running', 'restarting', 'would']), pid: z.exactOptional(z.int()) }),
  ),
  subnet: z.exactOptional(
    z.looseObject({ subnet: Ipv4CidrShape, origin: z.enum(['own', 'manual', 'dynamic']), ipv4: Ipv4Shape }),
  ),
  leases: listOf(
    z.looseObject({ mac: MacShape, ipv4: Ipv4Shape, name: z.exactOptional(z.string()), expires: z.string() }),
    65_536,
  ),
  foreignServers: listOf(
    z.looseObject({
      server: Ipv4Shape,
      mac: MacShape,
      gives: z.enum(['addresses', 'boot files']),
      subnet: z.exactOptional(Ipv4CidrShape),
      heardSecAgo: z.number(),
    }),
    65_536,
  ),
  otherHost0s: listOf(
    z.looseObject({
      installation: z.string(),
      mac: MacShape,
      ipv4: z.exactOptional(Ipv4Shape),
      senior: z.boolean(),
      heardSecAgo: z.number(),
    }),
    65_536,
  ),
  remark: z.exactOptional(z.string()),
  remedy: z.exactOptional(z.string()),
  wouldHaveAnswered: z.exactOptional(listOf(z.string(), 65_536)),
});

/** All boot segments of host0. */
export const BootViewShape: Shape<BootView> = z.looseObject({
  boot: z.enum(['off', 'auto', 'dry']),
  installation: z.string(),
  segments: listOf(Segment, NICS_MAX),
});
