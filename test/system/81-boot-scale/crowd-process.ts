/**
 * `crowd-process.ts HOST0`: boots the machines that stdin lists, all at once, and prints a line of JSON for each that has
 * booted. A process of its own, since a network namespace belongs to one.
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
