/** What `meshwork/libvirt` exports. */
export { VirError } from '../rpc/vir-error.ts';
export type { Connection, ConnectOptions, MetadataEvent, NetworkFilter, NetworkLifecycle } from './connection.ts';
export { connect } from './connection.ts';
export type { PartUpdate, VirNetwork } from './network.ts';
export type { NetworkPort } from './network-port.ts';
