/**
 * The `.conf` format of a workload, one virtual machine a file:
 *
 *     name=web1                                  # a word, unique in the cluster; what -w takes
 *     uuid=qweflmqwe23                           # a word, unique in the cluster
 *     platform.memory.size=1G                    # a number with K, M, G or T
 *     platform.cpu.threads=2                     # default 1
 *     platform.cpu.mode=host                     # a model of QEMU, or host, which is the default
 *     platform.volume.root.type=qcow2            # qcow2 or iso; `root` is any word
 *     platform.volume.root.path=web1.qcow2       # a path on the node
 *     platform.volume.root.source=isos/debian.qcow2
 *     platform.network.lan.network=blue          # `lan` is any word
 *
 * docs/reference/formats has all keys. The keys of one volume, card or public key share a word.
 */
import { basename } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { NameShape, NETWORK_NAME_RULE } from '../../model/network/words.ts';
import { HostNameShape, PublicKeyShape, type WorkloadCloud } from '../../model/workload/cloud.ts';
import { CARD_MODELS, type WorkloadNetwork } from '../../model/workload/network.ts';
import {
  Sha256Shape,
  VOLUME_TYPES,
  VolumePathShape,
  VolumeSourceShape,
  type WorkloadVolume,
} from '../../model/workload/volume.ts';
import {
  BootPathShape,
  CpuModeShape,
  type DirectBoot,
  FIRMWARES,
  KernelLineShape,
  RESTARTS,
  systemUuidOf,
  type Workload,
  WorkloadNameShape,
} from '../../model/workload/workload.ts';
import { type ConfEntry, type ConfText, parseConfText } from '../conf/conf-file.ts';
import { ConfKeys } from '../conf/conf-keys.ts';
import { idsOf, keysOf, SHOWN_KEYS } from './workload-keys.ts';
import {
  fitting,
  type ParseValue,
  parseCardAddresses,
  parseCardMac,
  parseDiskSize,
  parseMemory,
  parsePlace,
  parseSwitch,
  parseThreads,
  unquoted,
  wordOf,
  wrongValue,
} from './workload-values.ts';

/** A file without errors. */
export interface WorkloadConf {
  readonly file: string;
  /** Without the user data of the seed. */
  readonly workload: Workload;
  /** The entry that names the file of the user data, if the workload has one. */
  readonly userData?: ConfEntry;
}

/** A workload, or all errors of its file, in the order of its lines. */
export type WorkloadConfResult =
  | { readonly conf: WorkloadConf; readonly errors: readonly [] }
  | { readonly conf?: undefined; readonly errors: readonly MeshError[] };

/** Parses one file; `file` is its name in errors. */
export function parseWorkloadConf(file: string, bytes: Uint8Array): WorkloadConfResult {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) return { errors: [text] };
  const reading = new WorkloadReading(text);
  const workload = reading.workload(wordFrom(basename(file, '.conf')));
  const { errors } = reading;
  if (workload === undefined || errors.length > 0) return { errors };
  const userData = text.entries.find(({ key }) => key === 'platform.cloud.user_data');
  return { conf: { file, workload, ...(userData !== undefined && { userData }) }, errors: [] };
}

/** Reads the parts of one file. */
class WorkloadReading {
  readonly #text: ConfText;
  readonly #keys: ConfKeys<string>;
  readonly #errors: MeshError[] = [];

  constructor(text: ConfText) {
    this.#text = text;
    this.#keys = new ConfKeys(text, keysOf(text.entries), `The keys are ${SHOWN_KEYS.join(', ')}.`);
  }

  get errors(): readonly MeshError[] {
    return [...this.#keys.errors, ...this.#errors].sort((a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0));
  }

  /** @param suggested a name that errors suggest. @returns undefined if a key that must be there is wrong or missing */
  workload(suggested: string): Workload | undefined {
    const keys = this.#keys;
    const word = fitting(WorkloadNameShape, suggested);
    const name = keys.required('name', word, {
      rule: `A workload has a name. ${NETWORK_NAME_RULE}`,
      remedy: `Write name=${suggested}`,
    });
    const uuid = keys.required('uuid', fitting(WorkloadNameShape, systemUuidOf(suggested)), {
      rule: 'A workload has a uuid, one word that no other workload has.',
      remedy: `Write uuid=${systemUuidOf(suggested)}`,
    });
    const memoryBytes = keys.required('platform.memory.size', parseMemory, {
      rule: 'A workload has memory of its own.',
      remedy: 'Write platform.memory.size=1G',
    });
    const threads = keys.optional('platform.cpu.threads', parseThreads) ?? 1;
    const mode = keys.optional('platform.cpu.mode', fitting(CpuModeShape, 'host')) ?? 'host';
    const serial = keys.optional('platform.console.serial', parseSwitch) ?? true;
    const vnc = keys.optional('platform.console.vnc', parseSwitch) ?? false;
    const firmware = keys.optional('platform.firmware', wordOf(FIRMWARES)) ?? 'bios';
    const restart = keys.optional('platform.restart', wordOf(RESTARTS)) ?? 'on-failure';
    const place = keys.optional('platform.place', parsePlace(WorkloadNameShape)) ?? { kind: 'any' };
    const volumes = this.#ids('platform.volume.').flatMap((id) => this.#volume(id) ?? []);
    const networks = this.#ids('platform.network.').flatMap((id) => this.#card(id) ?? []);
    const cloud = this.#cloud();
    const boot = this.#boot();
    this.#twice('platform.volume.', 'path', 'Each volume has a path of its own.');
    this.#twice('platform.network.', 'mac', 'Each card has an Ethernet address of its own.');
    if (name === undefined || uuid === undefined || memoryBytes === undefined) return undefined;
    return {
      name,
      uuid,
      memoryBytes,
      cpu: { threads, mode },
      volumes,
      networks,
      console: { serial, vnc },
      firmware,
      restart,
      place,
      ...(cloud !== undefined && { cloud }),
      ...(boot !== undefined && { boot }),
    };
  }

  #volume(id: string): WorkloadVolume | undefined {
    const keys = this.#keys;
    const at = (part: string) => `platform.volume.${id}.${part}`;
    const type = keys.required(at('type'), wordOf(VOLUME_TYPES), {
      rule: 'A volume has a type: qcow2 for a disk, iso for a CD.',
      remedy: `Write ${at('type')}=qcow2`,
    });
    const path = keys.required(at('path'), fitting(VolumePathShape, `${id}.qcow2`), {
      rule: 'A volume has a path on the node.',
      remedy: `Write ${at('path')}=${id}.qcow2`,
    });
    const source = keys.optional(at('source'), fitting(VolumeSourceShape, 'isos/debian.qcow2'));
    const sha256 = keys.optional(at('sha256'), fitting(Sha256Shape, '0'.repeat(64)));
    const sizeBytes = keys.optional(at('size'), parseDiskSize);
    if (type === 'iso')
      this.#refuse(at('size'), 'is given for a CD', 'A CD is as large as its image. Only a disk has a size.');
    if (this.#entry(at('source')) === undefined)
      this.#refuse(at('sha256'), 'is given without a source', 'The sum is that of the image that the source gives.');
    if (type === undefined || path === undefined) return undefined;
    return {
      id,
      type,
      path,
      ...(source !== undefined && { source }),
      ...(sha256 !== undefined && { sha256 }),
      ...(sizeBytes !== undefined && { sizeBytes }),
    };
  }

  #card(id: string): WorkloadNetwork | undefined {
    const keys = this.#keys;
    const at = (part: string) => `platform.network.${id}.${part}`;
    const network = keys.required(at('network'), fitting(NameShape, 'main'), {
      rule: 'A card is plugged into a network, which is named by its name or its number.',
      remedy: `Write ${at('network')}=main`,
    });
    const mac = keys.optional(at('mac'), parseCardMac);
    const addresses = keys.optional(at('address'), parseCardAddresses) ?? [];
    const model = keys.optional(at('model'), wordOf(CARD_MODELS)) ?? 'virtio';
    return network === undefined ? undefined : { id, network, ...(mac !== undefined && { mac }), addresses, model };
  }

  /** Undefined where the file has no key of a seed. */
  #cloud(): WorkloadCloud | undefined {
    const hostName = this.#keys.optional('platform.cloud.hostname', fitting(HostNameShape, 'web1'));
    const key: ParseValue<string> = fitting(PublicKeyShape, '"ssh-ed25519 AAAA… you@desk"');
    const keys = this.#ids('platform.cloud.key.').flatMap(
      (id) => this.#keys.optional(`platform.cloud.key.${id}`, key) ?? [],
    );
    // The file behind the path is read later.
    const userData = this.#keys.optional('platform.cloud.user_data', fitting(VolumePathShape, 'user-data'));
    if (hostName === undefined && keys.length === 0 && userData === undefined) return undefined;
    return { ...(hostName !== undefined && { hostName }), keys };
  }

  #boot(): DirectBoot | undefined {
    const kernel = this.#keys.optional('platform.kernel.path', fitting(BootPathShape, '/boot/vmlinuz'));
    const initrd = this.#keys.optional('platform.kernel.initrd', fitting(BootPathShape, '/boot/initrd.img'));
    const append = this.#keys.optional('platform.kernel.append', fitting(KernelLineShape, '"quiet"'));
    if (this.#entry('platform.kernel.path') === undefined) {
      const rule = 'A kernel that is started without a boot loader is named by platform.kernel.path.';
      this.#refuse('platform.kernel.initrd', 'is given without a kernel', rule);
      this.#refuse('platform.kernel.append', 'is given without a kernel', rule);
    }
    if (kernel === undefined) return undefined;
    return { kernel, ...(initrd !== undefined && { initrd }), ...(append !== undefined && { append }) };
  }

  #ids(prefix: string): readonly string[] {
    return idsOf(this.#text.entries, prefix);
  }

  #entry(key: string): ConfEntry | undefined {
    return this.#text.entries.find((entry) => entry.key === key);
  }

  /** A key that must not stand where it does. */
  #refuse(key: string, fault: string, rule: string): void {
    const entry = this.#entry(key);
    if (entry === undefined) return;
    this.#errors.push(
      new MeshError('MESH_WORKLOAD_INVALID', `${key} ${fault}`, {
        rule,
        remedy: 'Remove the line',
        place: entry.keyPlace,
      }),
    );
  }

  /** Two parts of a kind with one value. */
  #twice(prefix: string, part: string, rule: string): void {
    const seen = new Map<string, ConfEntry>();
    for (const entry of this.#text.entries) {
      if (!entry.key.startsWith(prefix) || !entry.key.endsWith(`.${part}`)) continue;
      const first = seen.get(unquoted(entry));
      if (first !== undefined) {
        const fault = `is that of ${first.key} in line ${first.keyPlace.line}, too`;
        this.#errors.push(wrongValue(entry, fault, rule, undefined));
      } else seen.set(unquoted(entry), entry);
    }
  }
}

/** A valid name from the permitted characters of `text`. */
function wordFrom(text: string): string {
  const word = text.replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '');
  return word.slice(0, 63) || 'vm1';
}
