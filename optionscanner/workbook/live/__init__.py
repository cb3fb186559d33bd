"""The live workbook: a writer process that fills an open spreadsheet, and the host that feeds and watches it."""
