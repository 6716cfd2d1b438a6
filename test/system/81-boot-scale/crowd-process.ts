/**
 * Boots the machines that stdin lists as JSON, all at once, and prints one line of JSON for each that has booted. It is a
 * process of its own, because it runs in another network namespace.
 */
import { text } from 'node:stream/consumers';
import { Boot, type SyntheticMachine } from './synthetic-machine.ts';

const stop = new AbortController();
const machines = JSON.parse(await text(process.stdin)) as SyntheticMachine[];
const boots = machines.map(async (machine) => {
  const booted = await new Boot(machine, stop.signal).run();
  process.stdout.write(`${JSON.stringify(booted)}\n`);
});
await Promise.all(boots);
