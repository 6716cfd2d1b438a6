/** The store in etcd: the contract of every store, on a real etcd. */
import { afterAll, beforeAll } from 'vitest';
import { EtcdCluster } from '../../../test/kit/etcd.ts';
import { storeContract } from '../../../test/kit/store-contract.ts';
import { systemClock } from '../../model/clock.ts';
import { EtcdStore } from './etcd-store.ts';

let cluster: EtcdCluster;
beforeAll(async () => {
  cluster = await EtcdCluster.single();
});
afterAll(() => cluster.close());

storeContract('etcd store', async (options) => {
  cluster.members[0]?.ctl('del', '', '--prefix');
  return EtcdStore.open(cluster.place, { ...options, clock: systemClock, scope: '' });
});
