import { storeContract } from './contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract('memory store', async (options) => new MemoryStore(options));
