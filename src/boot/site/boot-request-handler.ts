/** Where a machine that asks for its script is received: who it is, whether it may boot, and what it boots. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { BootSighting } from '../frames/sighting.ts';
import type { Attempts } from './attempts.ts';
import type { BootLoadLimiter } from './boot-load-limiter.ts';
import { type Hardware, hardwareName, modelOf } from './hardware.ts';
import { identifyMachine } from './identification.ts';
import { bootScript, commandLine, refusalScript } from './ipxe-script.ts';

/** What machines boot; the image room knows. */
export interface BootCatalogue {
  /** @throws MESH_BOOT_NO_IMAGE */
  image(machine: MachineId): Promise<BootImage>;
  /** @throws MESH_BOOT_NO_OVERLAY */
  overlay(machine: MachineId): Promise<BootOverlay>;
}

export interface BootImage {
  readonly generation: string;
  /** What this image wants on the command line besides. */
  readonly commandLine?: string;
}

export interface BootOverlay {
  readonly sha256: string;
  /** Where it lies. */
  readonly path: string;
}

/** Who the machines are; the controller knows. */
export interface BootRegistry {
  isKnown(machine: MachineId): boolean;
  /**
   * Notes that it boots.
   * @returns the name that the administrator gave it
   * @throws MESH_BOOT_MACHINE_DOUBLE
   */
  boots(machine: MachineId, hardware: Hardware): Promise<string | undefined>;
}

/** Where on which segment a request comes from. */
export interface BootRequestSource {
  readonly device: string;
  /** host0's address there. */
  readonly host0: Ipv4;
  readonly peer: Ipv4;
}

export interface BootRequestHandlerInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly attempts: Attempts;
  readonly loadLimiter: BootLoadLimiter;
  readonly catalogue: BootCatalogue;
  readonly registry: BootRegistry;
  /** The kernel's neighbour entry. */
  readonly neighbour: (device: string, address: Ipv4) => Promise<Mac | undefined>;
  /** host0's addresses as nodes on `device` should try them, the nearest first. */
  readonly host0Addresses: (device: string) => readonly Ipv4[];
  readonly onSighting: (sighting: BootSighting) => void;
}

export type Welcome =
  | { readonly type: 'script'; readonly text: string }
  | { readonly type: 'wait'; readonly againSec: number };

/** A refused machine asks again, and finds what an administrator has mended by then. */
const REFUSED_AGAIN_SEC = 10;

export class BootRequestHandler {
  readonly #input: BootRequestHandlerInput;

  constructor(input: BootRequestHandlerInput) {
    this.#input = input;
  }

  /** Never rejects for a fault of the machine or of what is configured: such a machine gets a script that says it. */
  async receive(hardware: Hardware, source: BootRequestSource): Promise<Welcome> {
    const { machine } = identifyMachine(hardware, (id) => this.#input.registry.isKnown(id));
    try {
      return await this.#welcome(machine, hardware, source);
    } catch (thrown) {
      const error = MeshError.from(thrown);
      this.#refuse(machine, hardware, source, error);
      const reasons = [`Meshwork does not boot machine ${machine}: ${error.message}`, error.remedy ?? error.rule ?? ''];
      return { type: 'script', text: refusalScript(source.host0, reasons, REFUSED_AGAIN_SEC) };
    }
  }

  async #welcome(machine: MachineId, hardware: Hardware, source: BootRequestSource): Promise<Welcome> {
    const { attempts, catalogue, clock, onSighting, registry, loadLimiter } = this.#input;
    const { device, peer } = source;
    const { mac } = hardware;
    await this.#mustBe(mac, source);
    // One after the other: of two things that are missing it is always told the first.
    const image = await catalogue.image(machine);
    const overlay = await catalogue.overlay(machine);
    const passage = loadLimiter.ask(mac);
    if (!passage.pass) {
      const { ahead, againSec } = passage;
      onSighting({ kind: 'queued', atMs: clock.nowMs(), device, mac, machine, ahead, againSec });
      return { type: 'wait', againSec };
    }
    const name = await registry.boots(machine, hardware);
    const attempt = await attempts.open({ machine, mac, ipv4: peer, device, overlay: overlay.path });
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
      kernel: `/image/${image.generation}/vmlinuz`,
      initrd: `/image/${image.generation}/initrd.img`,
      commandLine: commandLine({
        machine,
        mac,
        host0: this.#input.host0Addresses(device),
        attempt: attempt.id,
        token: attempt.token,
        turn: attempt.turn,
        overlay: `http://${source.host0}/overlay/${attempt.id}/${overlay.sha256}.apkovl.tar.gz`,
        ...(image.commandLine !== undefined && { more: image.commandLine }),
      }),
      ...(name !== undefined && { name }),
    });
    return { type: 'script', text };
  }

  /** @throws MESH_BOOT_FORGED unless the card that is named is the one at the asker's address */
  async #mustBe(mac: Mac, { device, peer }: BootRequestSource): Promise<void> {
    const there = await this.#input.neighbour(device, peer);
    if (there === mac) return;
    throw new MeshError(
      'MESH_BOOT_FORGED',
      `${peer} asks to boot as ${mac}, and is ${there ?? 'not on this segment'}`,
      {
        object: mac,
        rule: 'A machine boots from the network card that host0 sees at its address; relays between them are not known.',
        remedy: 'Let it boot from the card that is plugged into this segment.',
      },
    );
  }

  #refuse(machine: MachineId, hardware: Hardware, { device }: BootRequestSource, error: MeshError): void {
    const { clock, journal, onSighting } = this.#input;
    const { mac } = hardware;
    onSighting({ kind: 'refused', atMs: clock.nowMs(), device, mac, machine, error: error.toJSON() });
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
