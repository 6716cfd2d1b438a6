/** Composes what one of several host0s does: it waits for the lease, takes the secrets from the store, and keeps them there. */
import { join } from 'node:path';
import { openStandbyApi } from '../../api/control/standby-api.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { MIRROR_KEY } from '../../image/mirror-key.ts';
import { tellServiceManager } from '../../kernel/unix/service-notice.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Rivalry } from '../../store/etcd/etcd-leadership.ts';
import type { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { SealKey } from '../../store/shared/seal-key.ts';
import { SealedFiles } from '../../store/shared/sealed-files.ts';
import { LeadingTree, TreeDigest, treeFault } from '../../store/shared/tree-digest.ts';

/** What a host0 among several has before it leads. */
export interface StandbyInput {
  readonly store: EtcdStore;
  readonly paths: Paths;
  readonly name: string;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** A host0 among several. */
export interface Standby {
  readonly rivalry: Rivalry;
  /** Takes the secrets of the installation, and keeps those of this host0 in the store. To be called when it leads. */
  lead(): Promise<void>;
  readonly leadership: () => LeadershipView;
  /** What is not well while this host0 leads. */
  readonly parts: readonly HealthSource[];
  close(): void;
}

/** Opens the control socket of a host0 that waits. @throws MESH_SEAL_REFUSED without the key file */
export async function openStandby({ store, paths, name, clock, journal }: StandbyInput): Promise<Standby> {
  const key = await keyIn(paths.host0Key);
  const sealed = new SealedFiles({ store, key, directory: join(paths.state, 'keys'), clock });
  const digest = new TreeDigest(paths.host0);
  const tree = new LeadingTree({ store, clock, tree: paths.host0, name });
  const startedMs = clock.nowMs();
  let view: LeadershipView = { state: 'waits', key: key.id };
  const leadership = () => ({ ...view, revision: store.seen });
  const waiting = (): readonly Finding[] =>
    view.why === undefined ? [] : [findingOf(new MeshError('MESH_HOST0_STANDBY', view.why), { object: name })];
  const api = await openStandbyApi({
    path: paths.controlSock,
    clock,
    journal,
    leadership,
    status: () => ({
      ...{ role: 'host0', version: VERSION, node: name, epoch: store.epoch, revision: store.seen },
      ...{ segments: [], nodesOnline: 0, networks: 0, leadership: leadership() },
      upSec: Math.floor((clock.nowMs() - startedMs) / 1000),
      health: waiting(),
    }),
  });
  journal.record({ kind: 'waits', message: `${name} waits until no other host0 leads` });
  tellServiceManager();
  return {
    leadership,
    rivalry: {
      mayLead: async (leader) => {
        const own = await digest.read();
        // A host0 that waits fills its mirror as well, and nodes trust one key.
        const why =
          (await sealedFault(sealed, () => sealed.restore([MIRROR_KEY]))) ??
          (await treeFault(store, { digest: own, tree: paths.host0, name }));
        view = { state: 'waits', key: key.id, tree: own, ...(leader && { leader }), ...(why && { why }) };
        return leader === undefined && why === undefined;
      },
    },
    lead: async () => {
      await api.close();
      view = { state: 'leads', leader: name, key: key.id, ...(view.tree && { tree: view.tree }) };
      await sealed.restore();
      await sealed.follow();
      await tree.follow();
      journal.record({ kind: 'leads', message: `${name} leads from now on` });
    },
    parts: [sealed, tree],
    close: () => {
      sealed.close();
      tree.close();
    },
  };
}

/** Why this host0 must not lead with its secrets; undefined if it may. */
async function sealedFault(sealed: SealedFiles, then: () => Promise<void>): Promise<string | undefined> {
  try {
    await sealed.check();
    await then();
    return undefined;
  } catch (thrown) {
    const { message, remedy } = MeshError.from(thrown);
    return remedy === undefined ? message : `${message}. ${remedy}`;
  }
}

async function keyIn(path: string): Promise<SealKey> {
  const key = await SealKey.read(path);
  if (key !== undefined) return key;
  throw new MeshError('MESH_SEAL_REFUSED', `host0.conf names several host0s, and there is no ${path}`, {
    object: path,
    rule: 'All host0s of an installation have the same key file.',
    remedy: 'Run `mesh host0 join`: it makes the file on the first host0, and takes a copy of it on the others.',
  });
}

/** Refuses settings that do not fit each other. @throws MESH_HOST0_CONF_INVALID */
export function mustHaveEtcd({ host0s, store }: Pick<Host0Settings, 'host0s' | 'store'>): void {
  if (host0s.length === 0 || store.length > 0) return;
  throw new MeshError('MESH_HOST0_CONF_INVALID', 'host0s names several machines, and the store is a file of this one', {
    object: 'host0s',
    rule: 'Several host0s have one store, an etcd.',
    remedy: 'Write store="etcd://…", or remove the line.',
  });
}
