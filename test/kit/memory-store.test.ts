/** The memory store keeps the contract of every store. */
import { MemoryStore } from './memory-store.ts';
import { storeContract } from './store-contract.ts';

storeContract('memory store', async (options) => new MemoryStore(options));
