/** The boots that host0 has seen lately. It takes sightings, finds the boots that are stuck, and shows each as a timeline. */

import { isDeepStrictEqual } from 'node:util';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineId } from '../../model/machine.ts';
import { Signal } from '../../model/signal.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { BootSighting } from '../frames/sighting.ts';
import { dueOf, isGivenUp, type ReportRefusal, type SegmentState, troubleOf } from './boot-trouble.ts';
import type { ModelTimes } from './model-times.ts';
import { advance, begin, beginsBoot, stageOf, type Timeline } from './timeline.ts';

/** What the log needs to know about segments and machines. */
export interface BootLogInput {
  readonly clock: Clock;
  readonly journal: Journal;
  /** What host0 does on the segment of a device. */
  readonly segmentStateOf: (device: string) => SegmentState;
  /** The name that the administrator gave the machine. */
  readonly nameOf: (machine: MachineId) => string | undefined;
  /** Names of the meshes that the machine is in now. */
  readonly meshesOf: (machine: MachineId) => readonly string[];
  /** Why host0 refused the last report of the machine; undefined if it took the report, or has heard none for nine seconds. */
  readonly refusalOf: (machine: MachineId) => ReportRefusal | undefined;
  /** The model of the machine that has this card, if the card has booted before. */
  readonly modelOf: (mac: Mac) => string | undefined;
  readonly times: Pick<ModelTimes, 'silencesOf' | 'learn'>;
}

/** For how many machines the last boot is remembered. */
const MACHINES_MAX = 2000;
/** How often boots under way are checked, so that a stuck one is reported well within two seconds. */
const CHECK_MS = 250;

interface Boot {
  readonly timeline: Timeline;
  /** Wall time at which it began. */
  readonly began: Date;
  /** What subscribers were told last. */
  readonly told?: Pick<TimelineView, 'stages' | 'trouble' | 'state'>;
}

/** The last boot of each machine, by network card. */
export class BootLog {
  readonly #input: BootLogInput;
  /** The newest at the end. */
  readonly #boots = new Map<Mac, Boot>();
  readonly #macOf = new Map<MachineId | Ipv4, Mac>();
  readonly #progress = new Signal<TimelineView>();
  #check: Alarm | undefined;

  constructor(input: BootLogInput) {
    this.#input = input;
  }

  /** Adds a sighting to the boot of its machine. A sighting of a machine that does not boot is ignored. */
  take(sighting: BootSighting): void {
    const mac = this.#macOfSighting(sighting);
    if (mac === undefined) return;
    let boot = this.#boots.get(mac);
    if (sighting.kind === 'dhcp' && beginsBoot(boot?.timeline, sighting)) {
      boot = this.#begin(begin(sighting, this.#input.modelOf(mac)));
    }
    if (boot === undefined) return;
    const timeline = advance(boot.timeline, sighting);
    this.#boots.set(mac, { ...boot, timeline });
    if (stageOf(timeline) === 'mesh' && stageOf(boot.timeline) !== 'mesh') this.#learn(timeline);
    this.#nameCard(mac, boot.timeline.machine, timeline.machine, sighting.kind !== 'refused');
    this.#nameCard(mac, boot.timeline.ipv4, timeline.ipv4, true);
    this.#judge(mac);
    this.#check ??= this.#input.clock.after(CHECK_MS, () => this.#checkAll());
  }

  /** All remembered boots, the newest first. */
  views(): readonly TimelineView[] {
    for (const mac of this.#boots.keys()) this.#joined(mac);
    return [...this.#boots.values()].map((boot) => this.#view(boot)).reverse();
  }

  /** Calls `listener` with each boot that reaches a stage or gets stuck. @returns a function that ends the subscription */
  subscribe(listener: (view: TimelineView) => void): () => void {
    return this.#progress.subscribe(listener);
  }

  close(): void {
    this.#check?.cancel();
  }

  /**
   * Notes that a machine id or an address stands for a card, and its earlier one no more. A stranger can ask with any id, so a
   * refusal does not take the id from another card.
   */
  #nameCard(mac: Mac, before: MachineId | Ipv4 | undefined, now: MachineId | Ipv4 | undefined, takes: boolean): void {
    if (before !== undefined && before !== now && this.#macOf.get(before) === mac) this.#macOf.delete(before);
    if (now !== undefined && (takes || !this.#macOf.has(now))) this.#macOf.set(now, mac);
  }

  #macOfSighting(sighting: BootSighting): Mac | undefined {
    switch (sighting.kind) {
      case 'stage':
      case 'member':
        return this.#macOf.get(sighting.machine);
      case 'http':
        return sighting.mac ?? this.#macOf.get(sighting.ipv4);
      default:
        return sighting.mac;
    }
  }

  #begin(timeline: Timeline): Boot {
    const boot = { timeline, began: this.#input.clock.wallTime() };
    // Deleted first, so that it is the newest, at the end of the map.
    this.#boots.delete(timeline.mac);
    this.#boots.set(timeline.mac, boot);
    const [oldest] = this.#boots.keys();
    if (this.#boots.size > MACHINES_MAX && oldest !== undefined) this.#forget(oldest);
    return boot;
  }

  #learn({ model, silences }: Timeline): void {
    if (model !== undefined) void this.#input.times.learn(model, silences);
  }

  #forget(mac: Mac): void {
    this.#boots.delete(mac);
    for (const [key, owner] of this.#macOf) if (owner === mac) this.#macOf.delete(key);
  }

  #checkAll(): void {
    this.#check = undefined;
    const { clock } = this.#input;
    let underWay = false;
    for (const [mac, { timeline }] of this.#boots) {
      if (stageOf(timeline) === 'mesh' || isGivenUp(timeline, clock.nowMs())) continue;
      underWay = true;
      if (!this.#joined(mac)) this.#judge(mac);
    }
    if (underWay) this.#check ??= clock.after(CHECK_MS, () => this.#checkAll());
  }

  /** Ends a boot whose machine is a member now, in whatever stage it is: a system may join that reports no stages. */
  #joined(mac: Mac): boolean {
    const { timeline } = this.#boots.get(mac) ?? {};
    if (timeline?.machine === undefined || stageOf(timeline) === 'mesh') return false;
    const { machine, device } = timeline;
    const atMs = this.#input.clock.nowMs();
    const [mesh] = this.#input.meshesOf(machine);
    if (mesh === undefined || !mayHaveJoined(timeline, atMs)) return false;
    this.take({ kind: 'member', atMs, device, machine, mesh });
    return true;
  }

  /** Reports what is new about a boot: stages and trouble to subscribers, trouble and the successful end to the journal. */
  #judge(mac: Mac): void {
    const boot = this.#boots.get(mac);
    if (boot === undefined) return;
    const view = this.#view(boot);
    const { stages, state, trouble } = view;
    const news = { stages, state, ...(trouble !== undefined && { trouble }) };
    if (isDeepStrictEqual(news, boot.told)) return;
    this.#boots.set(mac, { ...boot, told: news });
    this.#progress.emit(view);
    if (trouble?.cause !== boot.told?.trouble?.cause || state === 'member') this.#record(view);
  }

  #record({ mac, machine, name, trouble, state, ageMs, device }: TimelineView): void {
    const { journal } = this.#input;
    const subject = `${name ?? machine ?? mac} (${mac} on ${device})`;
    const object = machine ?? mac;
    if (state === 'member') {
      journal.record({
        kind: 'machine booted',
        message: `${subject} is a member after ${(ageMs / 1000).toFixed(1)} s`,
        object,
      });
    } else if (trouble !== undefined) {
      const { code, stage, cause, remedy } = trouble;
      journal.record({
        level: 'warning',
        kind: 'boot stuck',
        message: `${subject} in stage ${stage}: ${cause}`,
        object,
        code,
        remedy,
      });
    }
  }

  #view({ timeline, began }: Boot): TimelineView {
    const { clock, nameOf, refusalOf, segmentStateOf, times } = this.#input;
    const { mac, device, machine, ipv4, attempt, stages, beganMs, model } = timeline;
    const stage = stageOf(timeline);
    const due = dueOf(timeline, model === undefined ? undefined : times.silencesOf(model));
    const refusal = machine === undefined ? undefined : refusalOf(machine);
    const trouble = troubleOf(timeline, segmentStateOf(device), clock.nowMs(), due?.atMs, refusal);
    const name = machine === undefined ? undefined : nameOf(machine);
    const endMs = stage === 'mesh' ? (stages.at(-1)?.atMs ?? beganMs) : clock.nowMs();
    return {
      mac,
      device,
      ...(machine !== undefined && { machine }),
      ...(name !== undefined && { name }),
      ...(ipv4 !== undefined && { ipv4 }),
      ...(attempt !== undefined && { attempt }),
      ...(model !== undefined && { model }),
      began: began.toISOString(),
      ageMs: Math.round(endMs - beganMs),
      state: stage === 'mesh' ? 'member' : trouble === undefined ? 'booting' : 'stuck',
      stages: stages.map(({ atMs, ...reached }) => ({
        ...reached,
        atMs: Math.round(atMs - beganMs),
        time: new Date(began.getTime() + atMs - beganMs).toISOString(),
      })),
      ...(due !== undefined && { due: { ...due, atMs: Math.round(due.atMs - beganMs) } }),
      ...(trouble !== undefined && { trouble }),
    };
  }
}

/**
 * Whether a member list may name the machine because of this boot. A machine that boots again stays in the lists from its
 * earlier run until it was silent for MEMBER_SILENCE_MS.
 */
function mayHaveJoined(timeline: Timeline, nowMs: number): boolean {
  return stageOf(timeline) === 'agent' || nowMs - timeline.beganMs > 2 * MEMBER_SILENCE_MS;
}
