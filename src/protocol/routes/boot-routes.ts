/** Routes of host0's control socket: boot segments and boots. */
import { BootViewShape, ScanShape } from '../shapes/boot-view-shapes.ts';
import { TimelineShape } from '../shapes/timeline-shape.ts';
import { ENTRIES_MAX } from '../shapes/view-shapes.ts';
import { document, events, list, NOTHING, type RouteTable } from './route.ts';

/** The table. */
export const BOOT_ROUTES = {
  'GET /v1/boot': {
    summary: 'Shows the segments that machines boot on, and what host0 serves there.',
    answer: document(BootViewShape),
  },
  'POST /v1/scan': {
    summary: 'Looks for devices at all NICs of host0.',
    answer: document(ScanShape),
    errors: ['MESH_KERNEL_REFUSED'],
  },
  'POST /v1/boot/stop': {
    summary: 'Ends the processes that serve machines that boot.',
    answer: NOTHING,
    errors: ['MESH_PROCESS_NOT_ENDED'],
  },
  'GET /v1/boots': {
    summary: 'Lists the boots that host0 remembers, the newest first.',
    answer: list(TimelineShape, ENTRIES_MAX),
  },
  'GET /v1/boots/events': {
    summary: 'Streams all boots, and then each boot again when it changes.',
    answer: events({ boot: TimelineShape }),
  },
} as const satisfies RouteTable;
