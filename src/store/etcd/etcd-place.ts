/** Where an etcd is, and how host0 shows there who it is. */
import type { EtcdEndpoint } from '../../model/etcd-endpoint.ts';

/** The members of one etcd, and what they ask of a client. */
export interface EtcdPlace {
  /** At least one; when one does not answer, the next one is asked. */
  readonly endpoints: readonly EtcdEndpoint[];
  /** Present: the members speak TLS. All three are PEM. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /** Present: etcd has authentication switched on. */
  readonly user?: { readonly name: string; readonly password: string };
}
