#!/usr/bin/env node
import { catchInterrupts } from './interrupt.ts'

// Before anything else is loaded, which takes a while: Ctrl-C means the same from the first moment on.
const interrupts = catchInterrupts()
const { main } = await import('./main.ts')

// Engines and watchers may hold the process open; the work is done when `main` is.
process.exit(await main(process.argv.slice(2), interrupts))
