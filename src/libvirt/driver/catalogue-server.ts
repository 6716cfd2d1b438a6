/** The networks of the catalogue, for programs of libvirt. */
import { CatalogueNetworks, type CatalogueNetworksInput } from './catalogue-networks.ts';
import { LibvirtServer, type LibvirtServerInput } from './libvirt-server.ts';
import { PortDocuments } from './port-documents.ts';

/** What host0 has before it answers programs of libvirt. */
export interface CatalogueServerInput
  extends Omit<CatalogueNetworksInput, 'ports'>,
    Omit<LibvirtServerInput, 'networks' | 'kept'> {
  /** The file of the ports, which last until the machine is booted. */
  readonly state: string;
}

/** Opens the server. @throws MESH_ALREADY_RUNNING, MESH_KERNEL_REFUSED */
export async function openCatalogueServer({ state, ...input }: CatalogueServerInput): Promise<LibvirtServer> {
  const ports = await PortDocuments.open(state);
  return await LibvirtServer.open({ ...input, networks: new CatalogueNetworks({ ...input, ports }), kept: ports });
}
