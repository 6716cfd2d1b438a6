/** Reads the whole state that a mirror follows. */
import { MeshError } from '../../model/error.ts';
import type { Address, EntryCount, FdbEntry, Link, Neighbour, Route, Rule } from '../rtnl/objects.ts';
import type { Rtnl } from '../rtnl/rtnl.ts';

/** The objects of a network namespace, without routes and FDB entries that do not matter. */
export interface KernelDump {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  /** Of the main table, and of further tables that the reader was given. */
  readonly routes: readonly Route[];
  /** IPv4 routing rules. Absent: none. */
  readonly rules?: readonly Rule[];
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly FdbEntry[];
  /** Numbers of the FDB entries that were left out. Absent where none was. */
  readonly otherFdb?: readonly EntryCount[];
}

/** Where a mirror reads its kernel from. */
export interface KernelReader {
  /** @param matters which FDB entries the dump has; the others are counted */
  dump(matters: (entry: FdbEntry) => boolean): Promise<KernelDump>;
  /** The routes alone, as a dump has them. */
  routes(): Promise<readonly Route[]>;
}

/** Which routes are read. */
export interface RouteChoice {
  readonly keepsRoute: (route: Route) => boolean;
  /** Routing tables besides the main one whose IPv4 routes are read. */
  readonly tables?: readonly number[];
}

/** A reader of the namespace that `rtnl` works in. */
export function rtnlReader(rtnl: Rtnl, { keepsRoute, tables }: RouteChoice): KernelReader {
  const readRoutes = () => rtnl.routes(keepsRoute, tables);
  return {
    routes: readRoutes,
    async dump(matters) {
      const [links, addresses, routes, rules, neighbours, fdb] = await Promise.all([
        rtnl.links(),
        rtnl.addresses(),
        readRoutes(),
        readRules(rtnl),
        rtnl.neighbours(),
        rtnl.fdbWhere(matters),
      ]);
      return { links, addresses, routes, rules, neighbours, fdb: fdb.entries, otherFdb: fdb.others };
    },
  };
}

/** None where the kernel has no rules (CONFIG_IP_MULTIPLE_TABLES): such a kernel has three of its own otherwise. */
async function readRules(rtnl: Rtnl): Promise<Rule[]> {
  try {
    return await rtnl.rules();
  } catch (error) {
    if (['EAFNOSUPPORT', 'EOPNOTSUPP'].includes(MeshError.from(error).errno ?? '')) return [];
    throw error;
  }
}
