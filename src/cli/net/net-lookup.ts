/** The networks of host0's catalogue, as the words of virsh ask for them. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import {
  type CatalogueView,
  definitionIn,
  isActiveView,
  isPersistentView,
  startsAtBoot,
} from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';

/** Which networks of a list are wanted. Of a pair, both or none leave nothing out. */
export interface NetChoice {
  readonly inactive?: boolean;
  readonly all?: boolean;
  readonly persistent?: boolean;
  readonly transient?: boolean;
  readonly autostart?: boolean;
  readonly noAutostart?: boolean;
}

/** A client of host0. */
export function host0Of({ paths }: Context): ControlClient<'host0'> {
  return host0Client(paths);
}

/** One network, by its name or UUID. @throws MESH_NET_UNKNOWN */
export function networkCalled(context: Context, name: string): Promise<CatalogueView> {
  return host0Of(context).ask('GET /v1/catalogue/{name}', { path: { name } });
}

/** The networks of the catalogue that are wanted, by name. Those that are being deleted are gone for libvirt's users. */
export async function networksChosen(context: Context, choice: NetChoice): Promise<readonly CatalogueView[]> {
  const { inactive = false, all = false } = choice;
  const views = await host0Of(context).ask('GET /v1/catalogue');
  const isWanted = (view: CatalogueView) =>
    (all || isActiveView(view) !== inactive) &&
    isOneOf(isPersistentView(view), choice.persistent, choice.transient) &&
    isOneOf(startsAtBoot(view), choice.autostart, choice.noAutostart);
  return views
    .filter((view) => view.activity.phase !== 'deleting' && isWanted(view))
    .toSorted((a, b) => a.network.name.localeCompare(b.network.name, 'en', { sensitivity: 'base' }));
}

/** The network that no name is needed for: the only one. @throws MESH_USAGE with the names of all */
export async function onlyNetwork(context: Context): Promise<CatalogueView> {
  const views = await networksChosen(context, { all: true });
  const [view] = views;
  if (view !== undefined && views.length === 1) return networkCalled(context, view.network.id);
  const names = views.map(({ network }) => network.name).join(', ');
  throw new MeshError('MESH_USAGE', names === '' ? 'there is no network' : `there are several networks: ${names}`, {
    remedy: names === '' ? 'Define one: `mesh network define FILE`' : 'Name one of them',
  });
}

/** The form of a network that is asked for: as it runs, or with `inactive` as it is defined. */
export function formOf(view: CatalogueView, { inactive = false }: { readonly inactive?: boolean }): Network {
  return inactive ? definitionIn(view) : view.network;
}

function isOneOf(is: boolean, wanted = false, unwanted = false): boolean {
  return wanted === unwanted || is === wanted;
}
