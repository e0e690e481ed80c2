/** Settings of the report stage. */
import { z } from 'zod'

export const ReportConfig = z.strictObject({
  sae: z.string().describe('Run id or directory of the trained SAE'),
  evidence: z.string().optional().describe('Run id or directory of the validate run to show'),
  labels: z.string().optional().describe('Run id or directory of the label run to show'),
  title: z.string().optional().describe('Title of the page (default: the name of the SAE’s run)'),
  features: z
    .int()
    .min(0)
    .default(40)
    .describe('Features shown with their examples: those tested first, then the best labelled'),
})

export type ReportConfig = z.infer<typeof ReportConfig>
