/** The meshes of host0's files that are in force. */
import { isMesh, type Mesh } from '../../model/network/mesh.ts';
import { internNetworks } from '../../model/network/network-equality.ts';
import type { CatalogueState } from './catalogue-state.ts';
import { type LifecycleEvent, lifecycleOfMeshes } from './network-lifecycle.ts';

/** Keeps the list of meshes: the same one as before while none of them has changed. */
export class CatalogueMeshes {
  readonly #state: Pick<CatalogueState, 'inForce'>;
  #meshes: readonly Mesh[] = [];
  #isTold = false;

  constructor(state: Pick<CatalogueState, 'inForce'>) {
    this.#state = state;
  }

  get list(): readonly Mesh[] {
    return this.#meshes;
  }

  /**
   * Looks which meshes of the files are in force.
   * @param files undefined while the files have not been read
   * @returns what became of meshes; nothing at the first reading of the files: they were there before
   */
  take(files: readonly Mesh[] | undefined): readonly LifecycleEvent[] {
    const before = this.#meshes;
    const inForce = (files ?? []).flatMap(({ id }) => {
      const network = this.#state.inForce(id);
      return network !== undefined && isMesh(network) ? [network] : [];
    });
    this.#meshes = internNetworks(before, inForce);
    const events = this.#isTold ? lifecycleOfMeshes(before, this.#meshes) : [];
    this.#isTold = files !== undefined;
    return events;
  }
}
