"""The workbook: layout (data), render (pure), template (XlsxWriter) and the host that writes values into the file."""
