#!/usr/bin/env node
import { main } from './main.ts'

// Engines and watchers may hold the process open; the work is done when `main` is.
process.exit(await main(process.argv.slice(2)))
