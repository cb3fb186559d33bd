Attribute VB_Name = "Symbols"
Option Explicit

' Select a symbol in any cell, press the button, and the cursor stands on the symbol's row of STOCKS_GROUPED, or on
' the sheet of an index. Where the selected cell holds no symbol, the button asks for one. It sets no cell.
Public Sub JumpToSymbol()
    Dim symbol As String
    ' A sheet that is a chart has no cells.
    If Not ActiveCell Is Nothing Then symbol = Trim(CStr(ActiveCell.Text))
    If symbol <> "" Then
        If GoToSymbol(symbol) Then Exit Sub
    End If
    symbol = UCase(Trim(InputBox("Symbol, such as RELIANCE or NIFTY:", "OptionScanner")))
    If symbol = "" Then Exit Sub
    If GoToSymbol(symbol) Then Exit Sub
    MsgBox symbol & " is not on STOCKS_GROUPED and has no sheet.", vbInformation, "OptionScanner"
End Sub

' Whether the symbol was found, and the cursor stands there.
Public Function GoToSymbol(ByVal symbol As String) As Boolean
    Dim sheet As Worksheet
    GoToSymbol = GoToStock(symbol)
    If GoToSymbol Then Exit Function
    For Each sheet In ThisWorkbook.Worksheets
        If sheet.Name = symbol Then
            sheet.Activate
            GoToSymbol = True
            Exit Function
        End If
    Next sheet
End Function

' The table is found by its defined name and the column by its header, wherever they were moved to.
Private Function GoToStock(ByVal symbol As String) As Boolean
    Dim table As Range, column As Long, row As Long
    On Error GoTo Missing
    Set table = ThisWorkbook.Names("stocks").RefersToRange
    For column = 1 To table.Columns.Count
        If table.Cells(1, column).Value = "Symbol" Then Exit For
    Next column
    If column > table.Columns.Count Then Exit Function
    For row = 2 To table.Rows.Count
        If CStr(table.Cells(row, column).Value) = symbol Then
            table.Worksheet.Activate
            table.Cells(row, column).Select
            GoToStock = True
            Exit Function
        End If
    Next row
Missing:
End Function
