/** Answers a machine that asks for its boot script: which machine it is, whether it may boot, and what it boots. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { BootSighting } from '../frames/sighting.ts';
import type { Attempts } from './attempts.ts';
import type { BootLoadLimiter } from './boot-load-limiter.ts';
import { type Hardware, hardwareName, modelOf } from './hardware.ts';
import { identifyMachine, type KnownIds } from './identification.ts';
import { bootScript, commandLine, refusalScript } from './ipxe-script.ts';

/** What machines boot; image/overlay/boot-catalogue.ts implements it. */
export interface BootCatalogue {
  /** @throws MESH_BOOT_NO_IMAGE */
  image(machine: MachineId): Promise<BootImage>;
  /**
   * The overlay of a machine that boots this image.
   * @param host0 the address at which the machine reaches host0
   * @throws MESH_BOOT_NO_OVERLAY
   */
  overlay(machine: MachineId, image: BootImage, host0: Ipv4): Promise<BootOverlay>;
}

/** The kernel and initrd that a machine boots. */
export interface BootImage {
  /** Paths on host0's boot server. */
  readonly kernel: string;
  readonly initrd: string;
  /** Words that this image adds to the kernel's command line. */
  readonly commandLine?: string;
  /** There for Alpine's own initramfs, which fetches all else from host0's mirror. */
  readonly mirror?: BootMirror;
}

/** One generation of the mirror, as a machine with Alpine boots from it. */
export interface BootMirror {
  readonly generation: number;
  /** Below the generation, in the order of `/etc/apk/repositories`. */
  readonly repositories: readonly { readonly path: string; readonly tag?: string }[];
  /** The path of modloop on host0's boot server. */
  readonly modloop: string;
}

/** The compiled overlay (apkovl) of a machine. */
export interface BootOverlay {
  /** Of the file, in hex digits. */
  readonly sha256: string;
  /** The file on host0. */
  readonly path: string;
}

/** Which machines there are; the controller implements it. */
export interface BootRegistry extends KnownIds {
  /**
   * Checks that the machine may boot from the card now.
   * @param device host0's NIC on the segment of the card
   * @returns the name that the administrator gave the machine; undefined for a machine that is not adopted
   * @throws MESH_BOOT_CARD_UNKNOWN, MESH_BOOT_MACHINE_DOUBLE, MESH_BOOT_CARD_MANY
   */
  mayBoot(machine: MachineId, mac: Mac, device: string): string | undefined;
  /**
   * Checks the same again, and records that the machine boots.
   * @param begin begins the boot; no other card of the machine is let in meanwhile
   */
  boots<T>(
    machine: MachineId,
    hardware: Hardware,
    device: string,
    begin: (name: string | undefined) => Promise<T>,
  ): Promise<T>;
}

/** The segment and address that a request comes from. */
export interface BootRequestSource {
  /** host0's device on the segment. */
  readonly device: string;
  /** host0's address there. */
  readonly host0: Ipv4;
  /** The machine's address. */
  readonly peer: Ipv4;
}

/** What the answers depend on. */
export interface BootRequestHandlerInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly attempts: Attempts;
  readonly loadLimiter: BootLoadLimiter;
  readonly catalogue: BootCatalogue;
  readonly registry: BootRegistry;
  /** UUIDs and serials that identify no machine, besides those that Meshwork knows, in lower case. */
  readonly sharedIds: readonly string[];
  /** The MAC in the kernel's neighbour entry for an address. */
  readonly neighbour: (device: string, address: Ipv4) => Promise<Mac | undefined>;
  /** host0's addresses in the order in which nodes on `device` should try them, the nearest first. */
  readonly host0Addresses: (device: string) => readonly Ipv4[];
  readonly onSighting: (sighting: BootSighting) => void;
}

type BootAnswer =
  | { readonly type: 'script'; readonly text: string }
  | { readonly type: 'wait'; readonly againSec: number };

/** Refusals of a card that is not the machine's, as far as host0 knows: they are not part of the machine's boots. */
const NOT_ITSELF: ReadonlySet<string> = new Set([
  'MESH_BOOT_FORGED',
  'MESH_BOOT_CARD_UNKNOWN',
  'MESH_BOOT_CARD_MANY',
  'MESH_BOOT_MACHINE_DOUBLE',
] satisfies ErrorCode[]);

/** A machine asks as another network card than its own. */
class ForgedRequest extends MeshError {
  /** What the machine is told: not whose address it has, since guests behind a node would learn how to ask as the node. */
  readonly told: string;

  constructor(message: string, told: string, mac: Mac) {
    super('MESH_BOOT_FORGED', message, {
      object: mac,
      rule: 'A machine boots from the network card that host0 sees at its address. Relays in between are not supported.',
      remedy: 'Boot the machine from the card that is plugged into this segment.',
    });
    this.told = told;
  }
}

/** A refused machine asks again after this time. By then the administrator may have removed the cause. */
const REFUSED_AGAIN_SEC = 10;

/** Decides on requests for boot scripts. */
export class BootRequestHandler {
  readonly #input: BootRequestHandlerInput;

  constructor(input: BootRequestHandlerInput) {
    this.#input = input;
  }

  /**
   * Answers one request. Never rejects: a machine that cannot boot gets a script that shows the reason on its console and
   * asks again.
   */
  async answer(hardware: Hardware, source: BootRequestSource): Promise<BootAnswer> {
    const { machine } = identifyMachine(hardware, this.#input.registry, this.#input.sharedIds);
    try {
      return await this.#admit(machine, hardware, source);
    } catch (thrown) {
      const error = MeshError.from(thrown);
      this.#refuse(machine, hardware, source, error);
      const { message } = error instanceof ForgedRequest ? { message: error.told } : error;
      const reasons = [`Meshwork does not boot machine ${machine}: ${message}`, error.remedy ?? error.rule ?? ''];
      return { type: 'script', text: refusalScript(source.host0, reasons, REFUSED_AGAIN_SEC) };
    }
  }

  async #admit(machine: MachineId, hardware: Hardware, source: BootRequestSource): Promise<BootAnswer> {
    const { attempts, catalogue, clock, onSighting, registry, loadLimiter } = this.#input;
    const { device, peer } = source;
    const { mac } = hardware;
    await this.#verifySource(mac, source);
    // Before the queue: who is refused must not take a place in it.
    const isAdopted = registry.mayBoot(machine, mac, device) !== undefined;
    // One after the other, so that the console shows the same reason each time if both are missing.
    const image = await catalogue.image(machine);
    const overlay = await catalogue.overlay(machine, image, source.host0);
    const passage = loadLimiter.ask(mac, isAdopted);
    if (!passage.pass) {
      const { ahead, againSec } = passage;
      onSighting({ kind: 'queued', atMs: clock.nowMs(), device, mac, machine, ahead, againSec });
      return { type: 'wait', againSec };
    }
    const { name, attempt } = await registry.boots(machine, hardware, device, async (name) => ({
      name,
      attempt: await attempts.open({ machine, mac, ipv4: peer, device, overlay: overlay.path }),
    }));
    const model = modelOf(hardware);
    onSighting({
      kind: 'identified',
      atMs: clock.nowMs(),
      device,
      machine,
      mac,
      ipv4: peer,
      attempt: attempt.id,
      ...(model !== undefined && { model }),
    });
    const text = bootScript({
      host0: source.host0,
      machine,
      attempt: attempt.id,
      kernel: image.kernel,
      initrd: image.initrd,
      commandLine: commandLine({
        machine,
        mac,
        host0: this.#input.host0Addresses(device),
        attempt: attempt.id,
        token: attempt.token,
        turn: attempt.turn,
        overlay: `http://${source.host0}/overlay/${attempt.id}/${overlay.sha256}.apkovl.tar.gz`,
        ...(image.commandLine !== undefined && { more: image.commandLine }),
        ...(image.mirror !== undefined && { mirror: image.mirror }),
      }),
      ...(name !== undefined && { name }),
    });
    return { type: 'script', text };
  }

  /** @throws MESH_BOOT_FORGED unless the neighbour entry of the source has the MAC that the request names */
  async #verifySource(mac: Mac, { device, peer }: BootRequestSource): Promise<void> {
    const seen = await this.#input.neighbour(device, peer);
    if (seen === mac) return;
    const asks = `${peer} asks to boot as ${mac}, but`;
    const theirs = seen === undefined ? 'is not on this segment' : `has the MAC ${seen}`;
    throw new ForgedRequest(`${asks} ${theirs}`, `${asks} host0 sees another network card at this address`, mac);
  }

  #refuse(machine: MachineId, hardware: Hardware, { device }: BootRequestSource, error: MeshError): void {
    const { clock, journal, onSighting } = this.#input;
    const { mac } = hardware;
    const itself = NOT_ITSELF.has(error.code) ? {} : { machine };
    onSighting({ kind: 'refused', atMs: clock.nowMs(), device, mac, ...itself, error: error.toJSON() });
    const { code, message, remedy = error.rule ?? '' } = error;
    journal.record({
      level: 'warning',
      kind: 'boot refused',
      message: `machine ${machine}, ${hardwareName(hardware)}: ${message}`,
      object: machine,
      code,
      remedy,
    });
  }
}
