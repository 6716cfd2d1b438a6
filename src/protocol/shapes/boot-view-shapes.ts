/** The shapes of host0's boot segments (documents/boot-views.ts). */

import { BOOT_MODES, type BootView, type ScanView, type SegmentView, WANTED_MODES } from '../documents/boot-views.ts';
import * as form from './form.ts';
import { Ipv4CidrShape, Ipv4Shape, MacShape } from './parts.ts';

const NICS_MAX = 4_096;
const Names = form.listOf(form.string(), NICS_MAX);

/** The result of a scan. */
export const ScanShape: form.Shape<ScanView> = form.looseObject({
  time: form.string(),
  tookMs: form.number(),
  groups: form.listOf(Names, NICS_MAX),
  nics: form.listOf(
    form.looseObject({
      name: form.string(),
      mac: MacShape,
      up: form.boolean(),
      carrier: form.boolean(),
      ipv4: form.listOf(form.string(), NICS_MAX),
      bridge: form.exactOptional(form.string()),
    }),
    NICS_MAX,
  ),
  heard: form.listOf(form.looseObject({ from: form.string(), by: form.string() }), NICS_MAX * 64),
});

const Segment: form.Shape<SegmentView> = form.looseObject({
  nics: Names,
  device: form.string(),
  wanted: form.oneOf(WANTED_MODES),
  mode: form.oneOf(BOOT_MODES),
  reason: form.oneOf([
    'configured',
    'probing',
    'as before',
    'another server answers',
    'server silent',
    'nobody else answers',
    'another host0',
  ]),
  sinceSec: form.number(),
  settlesInSec: form.exactOptional(form.number()),
  service: form.exactOptional(
    form.looseObject({ state: form.oneOf(['running', 'restarting', 'would']), pid: form.exactOptional(form.int()) }),
  ),
  subnet: form.exactOptional(
    form.looseObject({ subnet: Ipv4CidrShape, origin: form.oneOf(['own', 'manual', 'dynamic']), ipv4: Ipv4Shape }),
  ),
  leases: form.listOf(
    form.looseObject({
      mac: MacShape,
      ipv4: Ipv4Shape,
      name: form.exactOptional(form.string()),
      expires: form.string(),
    }),
    65_536,
  ),
  foreignServers: form.listOf(
    form.looseObject({
      server: Ipv4Shape,
      mac: MacShape,
      gives: form.oneOf(['addresses', 'boot files']),
      subnet: form.exactOptional(Ipv4CidrShape),
      heardSecAgo: form.number(),
    }),
    65_536,
  ),
  otherHost0s: form.listOf(
    form.looseObject({
      installation: form.string(),
      mac: MacShape,
      ipv4: form.exactOptional(Ipv4Shape),
      senior: form.boolean(),
      heardSecAgo: form.number(),
    }),
    65_536,
  ),
  remark: form.exactOptional(form.string()),
  remedy: form.exactOptional(form.string()),
  wouldHaveAnswered: form.exactOptional(form.listOf(form.string(), 65_536)),
});

/** All boot segments of host0. */
export const BootViewShape: form.Shape<BootView> = form.looseObject({
  boot: form.oneOf(['off', 'auto', 'dry']),
  installation: form.string(),
  segments: form.listOf(Segment, NICS_MAX),
});
