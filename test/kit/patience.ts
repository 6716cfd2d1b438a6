/** For `vi.waitFor`, and for `expect.poll` (vitest.config.ts): what is awaited takes milliseconds, and a busy machine may be a hundred times as slow. */
export const PATIENCE = { timeout: 30_000, interval: 50 };
