/** Composes where host0's networks come from: the catalogue in the store, and the files of a directory. */
import { join } from 'node:path';
import { NetworkCatalogue, type NetworkCatalogueInput } from '../../controller/catalogue/network-catalogue.ts';
import { WrittenNetworks } from '../../controller/catalogue/written-networks.ts';
import type { Controller } from '../../controller/controller.ts';
import { NetworkDirectory } from '../../disk/network-directory.ts';
import type { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { underlayPrefixes } from '../../kernel/underlay-prefixes.ts';
import { bootInstance } from '../../machine/boot-instance.ts';
import { host0Owner } from '../../machine/host0-owner.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

/** How long after a failed attempt what a boot starts is tried again. */
const BOOT_AGAIN_MS = 5_000;

/** What host0 has before its networks. */
export interface Host0NetworksInput {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly mirror: LiveMirror;
  readonly catalogue: NetworkCatalogue;
  readonly written: WrittenNetworks;
  readonly controller: Controller;
  /** The name of the node on host0's machine. */
  readonly node: string;
}

/** Opens the catalogue, and what takes up the documents that people write into the store. @throws MESH_STORE_BROKEN */
export async function openCatalogue(input: NetworkCatalogueInput) {
  const catalogue = await NetworkCatalogue.open(input);
  return { catalogue, written: new WrittenNetworks({ ...input, catalogue }) };
}

/** Reads the network files, and follows them: files go into the catalogue, and meshes from there into the controller. */
export async function followNetworks(input: Host0NetworksInput): Promise<{ close(): Promise<void> }> {
  const { paths, clock, journal, mirror, catalogue, written, controller, node } = input;
  const directory = new NetworkDirectory({
    directory: paths.host0Networks,
    stateFile: join(paths.state, 'networks.accepted.json'),
    clock,
  });
  directory.changes.subscribe((outcome) => {
    controller.filesRead(outcome);
    catalogue.setFiles(outcome.networks);
  });
  catalogue.changes.subscribe(() => {
    const taken = controller.memberships.setMeshes(catalogue.meshes);
    taken.catch((thrown: unknown) => journal.faults.tell('change of networks', thrown));
  });
  await directory.start(() => underlayPrefixes(mirror, directory.current.networks));
  await catalogue.makeMain();
  const boot = { host0: host0Owner(paths.root), boot: bootInstance({ runDirectory: paths.run }) };
  let again: Alarm | undefined;
  let isClosed = false;
  // A store that is slow at power-on must not cost a network its start.
  const decide = async (): Promise<void> => {
    const isDone = await catalogue.booted(boot, node).catch((thrown: unknown) => {
      journal.failure('networks not started', thrown);
      return false;
    });
    if (!isDone && !isClosed) again = clock.after(BOOT_AGAIN_MS, () => void decide());
  };
  await decide();
  controller.addHealthOf(written);
  await written.start();
  return {
    close: async () => {
      isClosed = true;
      again?.cancel();
      written.close();
      await directory.close();
    },
  };
}
