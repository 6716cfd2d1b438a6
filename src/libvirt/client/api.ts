/** What `meshwork/libvirt` exports. */
export { LibvirtError } from '../rpc/libvirt-error.ts';
export type { Connection, ConnectOptions, LifecycleEvent, MetadataEvent, NetworkFilter } from './connection.ts';
export { connect } from './connection.ts';
export type { Network, NetworkUpdate } from './network.ts';
export type { NetworkPort } from './network-port.ts';
