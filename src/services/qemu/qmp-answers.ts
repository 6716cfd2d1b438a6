/** What QEMU's monitor says, as far as Meshwork reads it. */
import * as form from '../../model/form.ts';
import type { QmpEvent } from './qmp-client.ts';

/** The states of a guest (RunState in qapi/run-state.json of QEMU) that Meshwork tells apart. */
const RUN_STATES = [
  'running',
  'paused',
  'prelaunch',
  'inmigrate',
  'shutdown',
  'guest-panicked',
  'io-error',
  'internal-error',
] as const;

/** The answer to `query-status`. */
export const StatusShape = form.object({ status: form.string(), running: form.boolean() });
/** The answer to `query-uuid`. */
export const UuidShape = form.object({ UUID: form.string() });

/** A state of a guest. */
export type GuestState = (typeof RUN_STATES)[number];

/** A state by its word. A word that Meshwork does not know counts as `paused`: QEMU executes nothing in any such state. */
export function guestStateOf(status: string): GuestState {
  return RUN_STATES.find((state) => state === status) ?? 'paused';
}

/** Why a guest has ended, as far as QEMU says so. */
export type GuestEnding = 'powered off' | 'rebooted' | 'panicked' | 'ended by command';

const ENDINGS: Readonly<Record<string, GuestEnding>> = {
  'guest-shutdown': 'powered off',
  'guest-reset': 'rebooted',
  'guest-panic': 'panicked',
  'host-qmp-quit': 'ended by command',
  'host-signal': 'ended by command',
  'host-qmp-system-reset': 'rebooted',
};

/** What an event says of the end of its guest. */
export function endingIn({ event, data }: QmpEvent): GuestEnding | undefined {
  if (event === 'GUEST_PANICKED') return 'panicked';
  if (event !== 'SHUTDOWN') return undefined;
  const { reason } = data;
  return typeof reason === 'string' ? ENDINGS[reason] : undefined;
}

/** Whether an event says that the guest was paused because its disk is full. */
export function isFullDisk({ event, data }: QmpEvent): boolean {
  return event === 'BLOCK_IO_ERROR' && data.nospace === true && data.action === 'stop';
}
