Attribute VB_Name = "Engine"
Option Explicit

' The buttons of this workbook. A button writes a word into the cell CONTROL_COMMAND and adds one to the cell
' CONTROL_REQUEST; the running program sees both, obeys, and answers beside them. Nothing else happens in here,
' so a macro of your own can ask for the same with one line:
'
'     Engine.Ask "RECALC"

Public Sub Recalculate()
    Ask "RECALC"
End Sub

Public Sub Pause()
    Ask "PAUSE"
End Sub

' RESUME is a word of the language, so the button's macro has another name.
Public Sub GoOn()
    Ask "RESUME"
End Sub

Public Sub Archive()
    Ask "ARCHIVE"
End Sub

' Words: RECALC, PAUSE, RESUME, ARCHIVE, RESTORE; STOP needs YES in CONTROL_CONFIRM as well.
Public Sub Ask(ByVal word As String)
    On Error GoTo Missing
    NamedCell("CONTROL_COMMAND").Value = word
    NamedCell("CONTROL_REQUEST").Value = NamedCell("CONTROL_REQUEST").Value + 1
    Exit Sub
Missing:
    MsgBox "This workbook has no cells CONTROL_COMMAND and CONTROL_REQUEST any more, so the button does nothing. " & _
        "The program makes a new workbook when this one is moved away.", vbExclamation, "OptionScanner"
End Sub

' Of this workbook, whichever one is in front.
Private Function NamedCell(ByVal called As String) As Range
    Set NamedCell = ThisWorkbook.Names(called).RefersToRange
End Function
